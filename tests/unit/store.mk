# Tests of the store share their fixture, which needs the archives behind it once more.
STORE_TESTS := $(addprefix $(BUILD)/tests/unit/src/,store_test store_faults_test)
$(STORE_TESTS): $(BUILD)/tests/unit/src/store_fixture.o
$(STORE_TESTS): LDLIBS := $(LIBS) $(LDLIBS)
