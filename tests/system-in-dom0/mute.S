/* mute.S: a PVH guest that does nothing at all, and answers nothing: no suspend request, no shutdown request */
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, 18              /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long entry

    .text
    .code32
    .global entry
entry:
    sti                         /* halted with interrupts off a domain ends */
1:  hlt
    jmp 1b
