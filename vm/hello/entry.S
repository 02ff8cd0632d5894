/* entry.S: PVH entry (32-bit protected mode, no paging) and interrupt stubs */
#include "vm/hello/layout.h"

    /* Xen's note PHYS32_ENTRY: where QEMU and Xen start the image, with EBX at the start info. */
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, 18
    .asciz "Xen"
    .long entry

    .text
    .global entry
entry:
    cld
    lgdt gdt_pointer
    ljmp $LAYOUT_CODE, $1f
1:  movw $LAYOUT_DATA, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    xorl %eax, %eax
    movw %ax, %fs
    movw %ax, %gs
    movl $zeroed_start, %edi
    movl $zeroed_end, %ecx
    subl %edi, %ecx
    shrl $2, %ecx
    rep stosl
    movl $stack_top, %esp
    pushl %ebx
    call main

    /* One stub of 16 bytes for each exception: vector and error code on the stack. */
    .balign LAYOUT_STUB_BYTES
    .global exception_stubs
exception_stubs:
    vector = 0
    .rept LAYOUT_EXCEPTIONS
    .balign LAYOUT_STUB_BYTES
    /* 8, 10 to 14, 17, 21, 29 and 30 bring an error code of their own */
    .if !((0x60227d00 >> vector) & 1)
    pushl $0
    .endif
    pushl $vector
    jmp exception_common
    vector = vector + 1
    .endr

exception_common:
    pushl %esp
    call exception

    /* void cpu_sleep(void): only here interrupts are on. One that came before ends HLT at once. */
    .global cpu_sleep
cpu_sleep:
    sti
sleeping:
    hlt
awake:
    cli
    ret

    /*
     * An interrupt only ends HLT, and can only come in cpu_sleep: the stub drops the frame and
     * returns to that function's caller, interrupts off. KVM's instruction emulator has no IRET.
     */
    .global interrupt_stub
interrupt_stub:
    movl $0, LAYOUT_LAPIC + LAYOUT_LAPIC_EOI
    .global spurious_stub
spurious_stub:
    addl $12, %esp
    ret

    /*
     * Xen's event. The stub goes back to where the event came, interrupts off: under emulation Xen
     * has been seen to deliver an event while another's handler had not begun. After an event
     * between STI and HLT, which STI's shadow forbids and emulation allows, it goes behind HLT:
     * with interrupts off that would be the end of the domain.
     */
    .global event_stub
event_stub:
    cmpl $sleeping, (%esp)
    jne 1f
    movl $awake, (%esp)
1:
    andl $~LAYOUT_EFLAGS_IF, 8(%esp)
    iret

    .section .rodata
    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff    /* flat code */
    .quad 0x00cf93000000ffff    /* flat data */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

    .section .bss.noinit, "aw", @nobits
    .balign 16
    .skip LAYOUT_STACK_BYTES
stack_top:

    .section .note.GNU-stack, "", @progbits
