# The tools of tests/bench/run; plain programs, no part of the daemon.
BENCH := $(addprefix $(BUILD)/tests/bench/,bare ask flood echo)
$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(CFLAGS) -o $@ $^

bench: all $(BENCH)
tests: $(BENCH)
.PHONY: bench
