# hello.mk: the hello image, and its protocol code built for the host, for the tests
#
# The guest needs a compiler alone: no 32-bit C library, no libgcc.  It is the same whatever SAN and
# COVERAGE say.

HELLO_PROTO := $(addprefix vm/hello/,addr.c arp.c config.c http.c icmp.c ip.c nd.c net.c netif.c \
               tcp.c tcp_output.c tcp_receive.c tcp_table.c text.c xen_page.c xenstore.c)
HELLO_GUEST := $(HELLO_PROTO) $(addprefix vm/hello/,entry.S irq.c main.c mem.c microvm.c \
               virtio_net.c xen.c xen_machine.c xen_net.c)
HELLO_OBJ   := $(addsuffix .o,$(basename $(patsubst vm/hello/%,$(BUILD)/guest/%,$(HELLO_GUEST))))
HELLO_FLAGS := -m32 -march=i686 -mgeneral-regs-only -std=gnu11 -ffreestanding -fno-pic -fno-pie \
               -fno-stack-protector -fno-asynchronous-unwind-tables -ffunction-sections \
               -fno-common -fcf-protection=none -Os -g $(WARN) -I.

$(BUILD)/guest/%.o: vm/hello/%.c vm/hello/hello.mk $(BUILD)/flags
	$(call say,GUEST,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(HELLO_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/guest/%.o: vm/hello/%.S vm/hello/hello.mk $(BUILD)/flags
	$(call say,GUEST,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(HELLO_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/hello.elf: $(HELLO_OBJ) vm/hello/hello.ld
	$(call say,LD,$@)
	$(Q)$(CC) -m32 -nostdlib -static -no-pie -Wl,-T,vm/hello/hello.ld -Wl,-n \
	    -Wl,--gc-sections -Wl,--build-id=none -Wl,--fatal-warnings \
	    -Wl,--no-warn-rwx-segments -s -o $@ $(HELLO_OBJ)

# The protocols on the host.  Their tests link nothing else of ours: the guest's names are free to
# be those of the daemon.
HELLO_UNIT := $(BUILD)/tests/unit/vm/hello
$(BUILD)/libhello.a: $(patsubst %.c,$(BUILD)/%.o,$(HELLO_PROTO))
$(HELLO_UNIT)/%_test: $(HELLO_UNIT)/%_test.o $(HELLO_UNIT)/rig.o $(BUILD)/libhello.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(CFLAGS) -o $@ $^ -lcmocka
$(addprefix $(HELLO_UNIT)/,tcp_test tcp_trouble_test): $(HELLO_UNIT)/talk.o

$(BUILD)/fuzz/libhello.a: $(patsubst %.c,$(BUILD)/fuzz/%.o,$(HELLO_PROTO))
HELLO_FUZZ := $(addprefix $(BUILD)/tests/fuzz/,fuzz_hello fuzz_hello_xen)
$(HELLO_FUZZ): $(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(BUILD)/fuzz/libhello.a
	$(call say,FUZZLD,$@)
	$(Q)mkdir -p $(@D) && $(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^
