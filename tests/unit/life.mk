# Tests of the life cycle that are made of several files.  The archives stand once more behind the objects that need them.
LIFE_TESTS := $(addprefix $(BUILD)/tests/unit/src/,life_test life_tiers_test life_needs_test life_explore_test)
$(BUILD)/tests/unit/src/life_explore_test: $(BUILD)/tests/unit/src/life_model.o $(BUILD)/tests/unit/src/life_moves.o
$(filter-out %explore_test,$(LIFE_TESTS)): $(BUILD)/tests/unit/src/life_rig.o
$(LIFE_TESTS): LDLIBS += $(BUILD)/libsrc.a $(BUILD)/libbase.a
