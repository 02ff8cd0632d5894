# Helpers of the system tests.
$(BUILD)/tests/system/inject: $(BUILD)/tests/system/inject.o
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(CFLAGS) -o $@ $^

$(BUILD)/tests/system/forge: $(BUILD)/tests/system/forge.o
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(CFLAGS) -o $@ $^

$(BUILD)/tests/system/catch: $(BUILD)/tests/system/catch.o
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(CFLAGS) -o $@ $^

tests: $(BUILD)/tests/system/inject $(BUILD)/tests/system/forge $(BUILD)/tests/system/catch
