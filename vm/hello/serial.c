/* serial.c: the first serial port, if there is one */
#include "vm/hello/cpu.h"
#include "vm/hello/microvm.h"

#define UART_DATA         0x3f8
#define UART_LINE_CONTROL 0x3fb
#define UART_LINE_STATUS  0x3fd
#define UART_SCRATCH      0x3ff
#define UART_8N1          3
#define UART_CAN_TAKE     0x20
#define UART_SPINS        100000 /* far longer than one character at 9600 baud */

static bool present;

void
serial_init(void)
{
	cpu_out8(UART_SCRATCH, 0x5a);
	present = cpu_in8(UART_SCRATCH) == 0x5a;
	if (present)
		cpu_out8(UART_LINE_CONTROL, UART_8N1);
}

static void
put(char c)
{
	for (int spins = 0; !(cpu_in8(UART_LINE_STATUS) & UART_CAN_TAKE); spins++)
		if (spins == UART_SPINS) {
			present = false;
			return;
		}
	cpu_out8(UART_DATA, (uint8_t)c);
}

void
serial_print(const char *bytes, size_t n)
{
	for (; n && present; n--)
		put(*bytes++);
}
