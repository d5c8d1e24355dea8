/*
 * The guest of the end-to-end tests: a boot sector that fills the memory with
 * pseudo-random pages, then dirties a part of them for ever and says so on the
 * serial port.
 *
 * What it writes to COM1:
 *   '<'           it runs
 *   '.'           another 16 MiB are filled
 *   '>'           all is filled, and the rounds begin
 *   'a' ... 'z'   a round is done; after 'z' comes 'a' again, so that what the
 *                 source wrote last and the destination first must be
 *                 neighbours
 *
 * The parameters below stand at fixed offsets of the image, so that a copy of
 * it can be patched.  Sizes are in bytes and multiples of 4 KiB, and memory is
 * used from 1 MiB upwards.  In 32-bit protected mode without paging, an address
 * is a physical one.
 */
        .set    LOAD, 0x7c00            /* where a BIOS puts a boot sector */
        .set    FIRST, 0x100000         /* above the holes of the first MiB */
        .set    PAGE, 4096
        .set    SEED, 0x2545f491        /* any number but 0 */
        .set    COM1, 0x3f8
        .set    COM1_STATUS, 0x3fd
        .set    THR_EMPTY, 0x20         /* room for another character */
        .set    CODE, 0x08
        .set    DATA, 0x10
        .set    TIMER_VECTOR, 8         /* IRQ 0, as the BIOS left the PIC */

        .text
        .code16
        .globl  start
start:
        jmp     real_mode

        .org    4
        .ascii  "MTG1"
fill_end:       .long   64 << 20        /*  8: first address not filled */
window_end:     .long   17 << 20        /* 12: first address never dirtied */
round_pages:    .long   16              /* 16: pages dirtied in a round */
round_ticks:    .long   1               /* 20: timer ticks slept in a round */
tick_divisor:   .long   11932           /* 24: of 1193182 Hz, up to 65535 */
fill_mask:      .long   ~0              /* 28: what is left of each word */

real_mode:
        cli
        xorw    %ax, %ax
        movw    %ax, %ds
        inb     $0x92, %al              /* let address line 20 through */
        orb     $2, %al
        outb    %al, $0x92
        lgdtw   gdt_pointer
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpw   $CODE, $protected_mode

        .code32
protected_mode:
        movl    $DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $LOAD, %esp
        cld
        call    set_timer
        movb    $'<', %al
        call    say
        call    fill
        movb    $'>', %al
        call    say

        /* For ever: %esi is the next page to dirty, %bl the next letter. */
        movl    $FIRST, %esi
        movb    $'a', %bl
round:
        movl    round_pages, %ecx
dirty:
        incl    (%esi)
        addl    $PAGE, %esi
        cmpl    window_end, %esi
        jb      inside
        movl    $FIRST, %esi
inside:
        decl    %ecx
        jnz     dirty

        movb    %bl, %al
        call    say
        incb    %bl
        cmpb    $'z', %bl
        jbe     letter
        movb    $'a', %bl
letter:
        movl    round_ticks, %ecx
sleep:
        decl    %ecx
        js      round
        sti
        hlt
        cli
        jmp     sleep

/*
 * From FIRST to fill_end, every word is the next state of Marsaglia's 32-bit
 * xorshift generator.  Its period is 2^32 - 1 words, so no word comes twice in
 * 16 GiB: no two pages are equal and none is zero.  With a mask that leaves but
 * a few bits of each word they are so in practice, and can be compressed.
 */
fill:
        movl    $FIRST, %edi
        movl    $SEED, %eax
fill_page:
        movl    $PAGE / 4, %ecx
fill_word:
        movl    %eax, %edx
        shll    $13, %edx
        xorl    %edx, %eax
        movl    %eax, %edx
        shrl    $17, %edx
        xorl    %edx, %eax
        movl    %eax, %edx
        shll    $5, %edx
        xorl    %edx, %eax
        movl    %eax, %edx
        andl    fill_mask, %edx
        movl    %edx, (%edi)
        addl    $4, %edi
        decl    %ecx
        jnz     fill_word

        testl   $(16 << 20) - 1, %edi
        jnz     same_16m
        pushl   %eax
        movb    $'.', %al
        call    say
        popl    %eax
same_16m:
        cmpl    fill_end, %edi
        jb      fill_page
        ret

/* Write the character %al; %edx and %ah are lost. */
say:
        movb    %al, %ah
        movl    $COM1_STATUS, %edx
say_wait:
        inb     %dx, %al
        testb   $THR_EMPTY, %al
        jz      say_wait
        movb    %ah, %al
        movl    $COM1, %edx
        outb    %al, %dx
        ret

/*
 * Interrupts come from the timer alone, and only while round sleeps.  Its gate
 * is the only one there is: the table starts where the gates below it would.
 */
set_timer:
        lidtl   idt_pointer
        movb    $0xfe, %al
        outb    %al, $0x21
        movb    $0xff, %al
        outb    %al, $0xa1
        movb    $0x34, %al              /* channel 0, both bytes, mode 2 */
        outb    %al, $0x43
        movl    tick_divisor, %eax
        outb    %al, $0x40
        movb    %ah, %al
        outb    %al, $0x40
        ret

on_tick:
        pushl   %eax
        movb    $0x20, %al              /* end of interrupt */
        outb    %al, $0x20
        popl    %eax
        iretl

        .balign 8, 0
gdt:
        .quad   0
        .quad   0x00cf9a000000ffff      /* CODE: base 0, 4 GiB, execute */
        .quad   0x00cf92000000ffff      /* DATA: base 0, 4 GiB, write */
gdt_pointer:
        .word   gdt_pointer - gdt - 1
        .long   gdt

        .balign 8, 0
timer_gate:                             /* the sector is below 64 KiB */
        .word   on_tick
        .word   CODE
        .word   0x8e00                  /* present, 32-bit interrupt gate */
        .word   0
idt_pointer:
        .word   TIMER_VECTOR * 8 + 7
        .long   timer_gate - TIMER_VECTOR * 8

        .org    510
        .word   0xaa55                  /* what a BIOS looks for */
