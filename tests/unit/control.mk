# Tests of the control socket share their fixture, which needs the archives behind it once more.
CONTROL_TESTS := $(addprefix $(BUILD)/tests/unit/src/control/,control_test client_test answer_test)
$(CONTROL_TESTS): $(BUILD)/tests/unit/src/control/fixture.o
$(CONTROL_TESTS): LDLIBS := $(LIBS) $(LDLIBS)
