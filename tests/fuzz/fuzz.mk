# Fuzz targets: libFuzzer with sanitizers (clang).  They need objects of their own, built with
# coverage.
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ     := $(patsubst %.c,$(BUILD)/%,$(FUZZ_SRC))
FUZZ_LIB_SRC := $(BASE_SRC) $(DNS_SRC) $(VM_SRC) $(SRC_SRC)
FUZZ_CC  ?= clang
# Lines are what reports of the sanitizers show.
FUZZ_FLAGS := -std=gnu11 -O1 -gline-tables-only -fno-omit-frame-pointer \
    -fsanitize=address,undefined -fno-sanitize-recover=undefined -pthread -DJITSU_SAN
FUZZ_OBJ := $(patsubst %.c,$(BUILD)/fuzz/%.o,$(FUZZ_LIB_SRC))

$(BUILD)/fuzz/%.o: %.c $(BUILD)/flags
	$(call say,FUZZCC,$<)
	$(Q)mkdir -p $(@D) && $(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link \
	    -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/libfuzz.a: $(FUZZ_OBJ)
	$(Q)rm -f $@ && $(AR) rcsP $@ $^

$(BUILD)/tests/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(wildcard tests/fuzz/*.h) $(BUILD)/fuzz/libfuzz.a
	$(call say,FUZZLD,$@)
	$(Q)mkdir -p $(@D) && $(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $< \
	    $(BUILD)/fuzz/libfuzz.a $(LDLIBS) $(LDLIBS_XEN)

fuzz: $(FUZZ)
.PHONY: fuzz
