# The suite without a server: make build/tests/conformance/oracle, then tests/conformance/offline.py
$(BUILD)/tests/conformance/%: $(BUILD)/tests/conformance/%.o $(BUILD)/libdns.a $(BUILD)/libbase.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(CFLAGS) -o $@ $^ $(LDLIBS)

tests: $(BUILD)/tests/conformance/oracle
