# The tests of the DNS process share its fixture, which needs the archives behind it once more.
SERVER_TESTS := $(addprefix $(BUILD)/tests/unit/dns/server/,server_test server_edns_test \
	server_wake_test tcp_test proxy_test)
$(SERVER_TESTS): $(BUILD)/tests/unit/dns/server/fixture.o
$(SERVER_TESTS): LDLIBS := $(LIBS) $(LDLIBS)
