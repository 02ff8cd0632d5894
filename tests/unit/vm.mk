# Tests that run real VMs share their world, which needs the archives behind it once more.
VM_WORLD := $(addprefix $(BUILD)/tests/unit/vm/,host/host_test qemu/adopt_test qemu/ahead_test \
	host/activity_test host/park_test net/port_test net/says_test)
$(VM_WORLD): $(BUILD)/tests/unit/vm/host_fixture.o
$(VM_WORLD): LDLIBS := $(LIBS) $(LDLIBS)
