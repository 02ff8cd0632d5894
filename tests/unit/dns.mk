# The tests of the DNS process share its fixture, which needs the archives behind it once more.
$(BUILD)/tests/unit/dns/server_test $(BUILD)/tests/unit/dns/tcp_test: $(BUILD)/tests/unit/dns/server_fixture.o
$(BUILD)/tests/unit/dns/server_test $(BUILD)/tests/unit/dns/tcp_test: LDLIBS := $(LIBS) $(LDLIBS)
