# xen-vif.mk: the hotplug helper of the Xen driver, static.
ifeq ($(XEN),yes)
all: $(BUILD)/jitsu-xen-vif

$(BUILD)/jitsu-xen-vif: vm/xen/vif/xen-vif.c $(BUILD)/flags
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) -D_GNU_SOURCE -std=gnu11 $(WARN) -O2 -static -o $@ $< \
	    -lxenstore -lxentoolcore -lpthread

install: install-xen-vif
install-xen-vif: $(BUILD)/jitsu-xen-vif
	install -d $(DESTDIR)$(PREFIX)/libexec/jitsu
	install -m 755 $(BUILD)/jitsu-xen-vif $(DESTDIR)$(PREFIX)/libexec/jitsu/jitsu-xen-vif

.PHONY: install-xen-vif
endif
