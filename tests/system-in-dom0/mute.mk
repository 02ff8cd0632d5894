# The guest that answers nothing, of the tests in dom0; laid out as hello is.
$(BUILD)/mute.elf: tests/system-in-dom0/mute.S vm/hello/hello.ld
	$(call say,GUEST,$@)
	$(Q)mkdir -p $(@D) && $(CC) -m32 -nostdlib -static -no-pie -Wl,-T,vm/hello/hello.ld \
	    -Wl,-n -Wl,--build-id=none -Wl,--no-warn-rwx-segments -s -o $@ $<

tests: $(BUILD)/mute.elf
