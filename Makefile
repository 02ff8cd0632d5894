# Makefile: builds jitsud, jitsu, the hello image and the tests.
#
#   make                 build/jitsud build/jitsu build/hello.elf
#   make tests           the unit test programs, under build/tests/unit/
#   make install         honours PREFIX and DESTDIR; PREFIX may differ from that of `make`
#   make uninstall       removes what was installed, with the same PREFIX and DESTDIR; /etc/jitsu
#                        stays
#   make V=1             shows the commands
#   make SAN=1           address and undefined-behaviour sanitizers, in build/san
#   make COVERAGE=1      gcov, in build/cov
#   make XEN=no          leaves a driver out
#   make WERROR=no       warnings are not errors (for packagers)

PREFIX  ?= /usr/local
CC      ?= gcc
PKG_CONFIG ?= pkg-config
XEN     ?= yes
WERROR  ?= yes

ifeq ($(SAN),1)
BUILD   ?= build/san
else ifeq ($(COVERAGE),1)
BUILD   ?= build/cov
else
BUILD   ?= build
endif

VERSION := 0.1.0
PACKAGES := ldns libevent libevent_pthreads libconfuse sqlite3 jansson libmnl libnftables \
            libseccomp libcap-ng

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wimplicit-fallthrough -Wformat=2
ifeq ($(WERROR),yes)
WARN    += -Werror
endif
HARDEN  := -fPIE -fstack-protector-strong -fstack-clash-protection -fno-common
ifneq ($(SAN),1)
HARDEN  += -D_FORTIFY_SOURCE=2
endif
# GCC 15 leaves the rest of a union as it was: messages would show children the warden's stack.
HARDEN  += $(shell $(CC) -fzero-init-padding-bits=unions -E -xc /dev/null -o /dev/null 2>&1 | \
            grep -q . || echo -fzero-init-padding-bits=unions)
CPPFLAGS += -I. -D_GNU_SOURCE -DJITSU_VERSION='"$(VERSION)"' \
            $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
CFLAGS  ?= -O2 -g
JCFLAGS := -std=gnu11 $(WARN) $(HARDEN) -pthread
LDFLAGS += -pie -Wl,-z,relro,-z,now,--build-id=sha1 -pthread
LDLIBS  += $(shell $(PKG_CONFIG) --libs $(PACKAGES))
ifeq ($(SAN),1)
# The checks that the sanitizers put in make gcc see paths on which a format is null.
JCFLAGS += -fsanitize=address,undefined -fno-omit-frame-pointer -DJITSU_SAN -Wno-format-truncation \
           -Wno-format-overflow
LDFLAGS += -fsanitize=address,undefined
endif
ifeq ($(COVERAGE),1)
JCFLAGS += --coverage -O0
LDFLAGS += --coverage
endif

V ?= 0
ifeq ($(V),0)
Q = @
say = @printf '  %-5s %s\n' $(1) $(2);
endif

# Each of the four is an archive, so that a test links only what it names.
BASE_SRC := $(wildcard base/*.c)
DNS_SRC  := $(wildcard dns/*.c dns/*/*.c)
VM_SRC   := $(filter-out vm/hello/%,$(wildcard vm/*.c vm/*/*.c))
SRC_SRC  := $(filter-out src/jitsud.c src/cli/jitsu.c,$(wildcard src/*.c src/*/*.c))
ifneq ($(XEN),yes)
VM_SRC   := $(filter-out vm/xen/%,$(VM_SRC)) vm/xen/none.c
else
VM_SRC   := $(filter-out vm/xen/none.c,$(VM_SRC))
LDLIBS_XEN := -lxenlight -lxlutil -lxenstore -lxentoollog
endif
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

LIBS := $(BUILD)/libsrc.a $(BUILD)/libdns.a $(BUILD)/libvm.a $(BUILD)/libbase.a

all: $(BUILD)/jitsud $(BUILD)/jitsu $(BUILD)/hello.elf

# What was built with other flags is built again: a stamp is written when its text is another.
FLAGS := $(strip $(CC) $(CPPFLAGS) $(JCFLAGS) $(CFLAGS) $(LDFLAGS) $(LDLIBS))
$(BUILD)/flags: export STAMP := $(FLAGS)
$(BUILD)/prefix: export STAMP := $(PREFIX)
$(BUILD)/with-xen: export STAMP := $(XEN)
$(BUILD)/flags $(BUILD)/prefix $(BUILD)/with-xen:
	@mkdir -p $(@D) && printf '%s\n' "$$STAMP" >$@
ifneq ($(FLAGS),$(strip $(file <$(BUILD)/flags)))
$(BUILD)/flags: FORCE
endif
ifneq ($(strip $(PREFIX)),$(strip $(file <$(BUILD)/prefix)))
$(BUILD)/prefix: FORCE
endif
ifneq ($(strip $(XEN)),$(strip $(file <$(BUILD)/with-xen)))
$(BUILD)/with-xen: FORCE
endif

# The only one that knows where things are installed.
PREFIX_OBJ := $(BUILD)/vm/xen/start.o $(BUILD)/fuzz/vm/xen/start.o
$(PREFIX_OBJ): CPPFLAGS += -DPREFIX='"$(PREFIX)"'
$(PREFIX_OBJ): $(BUILD)/prefix

# The only ones that know whether there is a Xen driver; the others are the same with and without.
XEN_OBJ := $(addprefix $(BUILD)/,vm/host/host.o fuzz/vm/host/host.o \
           tests/unit/vm/hello/abi_test.o tests/unit/vm/xen/xl_test.o)
ifeq ($(XEN),yes)
$(XEN_OBJ): CPPFLAGS += -DJITSU_XEN
endif
$(XEN_OBJ): $(BUILD)/with-xen

$(BUILD)/libbase.a: $(call obj,$(BASE_SRC))
$(BUILD)/libdns.a: $(call obj,$(DNS_SRC))
$(BUILD)/libvm.a: $(call obj,$(VM_SRC))
$(BUILD)/libsrc.a: $(call obj,$(SRC_SRC))
# P: two rooms may have files of one name.
$(BUILD)/%.a:
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcsP $@ $^

$(BUILD)/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(JCFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/jitsud: $(BUILD)/src/jitsud.o $(LIBS)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(CFLAGS) -o $@ $^ $(LDLIBS) $(LDLIBS_XEN)

$(BUILD)/jitsu: $(BUILD)/src/cli/jitsu.o $(LIBS)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(CFLAGS) -o $@ $^ $(LDLIBS) $(LDLIBS_XEN)

include $(wildcard vm/hello/hello.mk)
include vm/xen/vif/xen-vif.mk

# tests/unit/ROOM/SUBJECT_test.c mirrors ROOM/SUBJECT.c
UNIT_SRC := $(wildcard tests/unit/*/*_test.c tests/unit/*/*/*_test.c)
UNIT     := $(patsubst %.c,$(BUILD)/%,$(UNIT_SRC))
$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(LIBS)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(CFLAGS) -o $@ $^ -lcmocka $(LDLIBS) $(LDLIBS_XEN)

tests: $(UNIT)

include $(wildcard tests/*/*.mk)

TO = $(DESTDIR)$(PREFIX)

# Configuration that is there stays as it is.
install: all
	install -d $(addprefix $(TO)/,sbin bin libexec/jitsu share/jitsu \
	    share/man/man8 share/man/man1 share/man/man5 share/bash-completion/completions \
	    lib/systemd/system) $(DESTDIR)/etc/jitsu
	install -m 755 $(BUILD)/jitsud $(TO)/sbin/jitsud
	install -m 755 $(BUILD)/jitsu $(TO)/bin/jitsu
	install -m 755 scripts/cgroup-reset $(TO)/libexec/jitsu/cgroup-reset
	install -m 644 $(BUILD)/hello.elf $(TO)/share/jitsu/hello.elf
	install -m 644 man/jitsud.8 $(TO)/share/man/man8/
	install -m 644 man/jitsu.1 $(TO)/share/man/man1/
	install -m 644 man/jitsu.conf.5 man/jitsu.zone.5 $(TO)/share/man/man5/
	install -m 644 config/jitsu.bash-completion $(TO)/share/bash-completion/completions/jitsu
	sed 's|@PREFIX@|$(PREFIX)|' config/jitsud.service >$(TO)/lib/systemd/system/jitsud.service
	chmod 644 $(TO)/lib/systemd/system/jitsud.service
	for f in jitsu.conf example.zone; do \
	    test -e $(DESTDIR)/etc/jitsu/$$f || \
	    sed 's|"hello.elf"|"$(PREFIX)/share/jitsu/hello.elf"|' config/$$f \
	        >$(DESTDIR)/etc/jitsu/$$f; done
	install -d $(TO)/share/doc/jitsu/examples/shop
	install -m 644 config/examples/shop/* $(TO)/share/doc/jitsu/examples/shop/

# Configuration, state and users stay; a daemon that runs goes on.
uninstall:
	cd $(TO) && rm -f sbin/jitsud bin/jitsu \
	    libexec/jitsu/cgroup-reset libexec/jitsu/jitsu-xen-vif \
	    share/jitsu/hello.elf share/man/man8/jitsud.8 share/man/man1/jitsu.1 \
	    share/man/man5/jitsu.conf.5 share/man/man5/jitsu.zone.5 \
	    share/bash-completion/completions/jitsu lib/systemd/system/jitsud.service
	rm -rf $(TO)/share/doc/jitsu/examples
	for d in libexec/jitsu share/jitsu share/doc/jitsu; do \
	    rmdir $(TO)/$$d 2>/dev/null || true; done

clean:
	rm -rf $(BUILD)

FORCE:

.PHONY: all tests install uninstall clean FORCE
.SECONDARY:
# Dependencies, but none of the disks that the rigs make below build/.
-include $(shell find $(BUILD) -path '*/tmp.*' -prune -o -type f -name '*.d' -print 2>/dev/null)
