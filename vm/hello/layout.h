/* layout.h: numbers that C and assembler share */
#ifndef HELLO_LAYOUT_H
#define HELLO_LAYOUT_H

#define LAYOUT_CODE        8 /* selectors of the GDT in entry.S */
#define LAYOUT_DATA        16
#define LAYOUT_EXCEPTIONS  32
#define LAYOUT_STUB_BYTES  16
#define LAYOUT_STACK_BYTES 16384 /* the deepest path, an HTTP reply, takes about 3 KiB */
#define LAYOUT_EFLAGS_IF   0x200
#define LAYOUT_LAPIC       0xfee00000
#define LAYOUT_LAPIC_EOI   0xb0

#endif
