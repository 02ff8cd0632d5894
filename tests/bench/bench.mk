# The tools of tests/bench/run; plain programs, no part of the daemon.
BENCH := $(addprefix $(BUILD)/tests/bench/,bare ask flood echo storm noise)
$(addprefix $(BUILD)/tests/bench/,bare storm noise): $(BUILD)/tests/bench/knock.o
$(addprefix $(BUILD)/tests/bench/,bare storm): $(BUILD)/tests/bench/prepare.o
$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(CFLAGS) -o $@ $^

ifeq ($(XEN),yes)
# What `tests/bench/run xen` measures beside, in the rig.
BENCH += $(BUILD)/tests/bench/xen_bare
$(BUILD)/tests/bench/xen_bare: $(BUILD)/tests/bench/xen_bare.o $(BUILD)/tests/bench/knock.o
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(CFLAGS) -o $@ $^ -lxenlight -lxentoollog
endif

bench: all $(BENCH)
tests: $(BENCH)
.PHONY: bench
