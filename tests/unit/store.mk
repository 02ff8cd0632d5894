# Tests of the store share their fixture, which needs the archives behind it once more.
STORE_TESTS := $(addprefix $(BUILD)/tests/unit/src/store/,store_test faults_test)
$(STORE_TESTS): $(BUILD)/tests/unit/src/store/fixture.o
$(STORE_TESTS): LDLIBS := $(LIBS) $(LDLIBS)
