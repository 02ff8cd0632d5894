# Tests of the life cycle that are made of several files.  The archives stand once more behind the
# objects that need them.
LIFE_TESTS := $(addprefix $(BUILD)/tests/unit/src/life/,life_test tiers_test needs_test \
	explore_test)
$(BUILD)/tests/unit/src/life/explore_test: $(BUILD)/tests/unit/src/life/model.o \
    $(BUILD)/tests/unit/src/life/moves.o
$(filter-out %explore_test,$(LIFE_TESTS)): $(BUILD)/tests/unit/src/life/rig.o
$(LIFE_TESTS): LDLIBS += $(BUILD)/libsrc.a $(BUILD)/libbase.a
