/*
 * mute.S: a PVH guest that does nothing at all, and answers nothing: no suspend request, no
 * shutdown request.  With the command line "x" it ends at once.
 */
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, 18              /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long entry

    .text
    .code32
    .global entry
entry:
    mov 24(%ebx), %eax          /* cmdline_paddr of struct hvm_start_info */
    test %eax, %eax
    jz mute
    cmpb $'x', (%eax)
    je end
mute:
    sti                         /* halted with interrupts off a domain ends */
1:  hlt
    jmp 1b
end:
    ud2                         /* without an IDT that is a triple fault */
