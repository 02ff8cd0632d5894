# The tests of the DNS process share its fixture, which needs the archives behind it once more.
SERVER_TESTS := $(addprefix $(BUILD)/tests/unit/dns/,server_test server_edns_test server_wake_test \
	tcp_test proxy_test)
$(SERVER_TESTS): $(BUILD)/tests/unit/dns/server_fixture.o
$(SERVER_TESTS): LDLIBS := $(LIBS) $(LDLIBS)
