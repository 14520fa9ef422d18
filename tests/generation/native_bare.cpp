// Runs one static Linux program on a bare x86-64 machine, as far as `native_kernels.cpp` needs one:
// started by a multiboot loader, it turns on 64 bits and the registers that XCR0_WANTED names, lays
// out the program that is embedded here, and answers the few calls of a system that it makes.
// What it writes goes to the first serial port.  Everything runs in ring 0, without interrupts.
//
//     PROGRAM       path of the program, linked statically to a fixed address below 64 MiB
//     XCR0_WANTED   states to switch on, of those that the processor has
//     SETTING       one variable of the program's environment, as NAME=VALUE
#include <cstddef>
#include <cstdint>

asm(R"(
    .section .init, "ax"
    .code32
    .balign 4
    .long 0x1badb002, 0, -0x1badb002    # what a multiboot loader looks for
    .globl start
start:
    cli
    movl $own_stack_end, %esp
    movl $middle_table + 3, top_table   # memory as it is, the first GiB in pages of 2 MiB
    movl $low_table + 3, middle_table
    xorl %ecx, %ecx
1:  movl %ecx, %eax
    shll $21, %eax
    orl $0x83, %eax
    movl %eax, low_table(, %ecx, 8)
    incl %ecx
    cmpl $512, %ecx
    jne 1b
    movl $top_table, %eax
    movl %eax, %cr3
    movl $1, %eax
    cpuid
    movl $0x620, %eax                   # long pages; xmm and its exceptions
    btl $26, %ecx                       # and xsave, where it is there
    jnc 2f
    orl $0x40000, %eax
2:  movl %eax, %cr4
    movl $0xc0000080, %ecx              # 64 bits, and the instruction `syscall`
    rdmsr
    orl $0x101, %eax
    wrmsr
    movl $0x80000033, %eax              # paging, protection, no emulation of floating point
    movl %eax, %cr0
    lgdt segments_place
    ljmp $8, $3f
    .code64
3:  movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $own_stack_end, %esp
    call run

    # Called with the caller's stack, below which it may keep 128 bytes.
    .globl answer_call
answer_call:
    movq %rsp, callers_stack
    movq $own_stack_end, %rsp
    pushq %rcx
    pushq %r11
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %r8
    pushq %r9
    pushq %r10
    movq %rdx, %rcx
    movq %rsi, %rdx
    movq %rdi, %rsi
    movq %rax, %rdi
    call answer
    popq %r10
    popq %r9
    popq %r8
    popq %rdx
    popq %rsi
    popq %rdi
    popq %r11
    popq %rcx
    movq callers_stack, %rsp
    jmp *%rcx

    .section .rodata
    .balign 16
segments:
    .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
segments_place:
    .word 23
    .long segments
    .globl program
    .balign 4096
program:
    .incbin ")" PROGRAM R"("

    .bss
    .balign 4096
top_table:    .skip 4096
middle_table: .skip 4096
low_table:    .skip 4096
    .skip 65536
own_stack_end:
    .globl program_stack_end
    .skip 1048576
program_stack_end:
    .skip 16
callers_stack: .skip 8
    .text
)");

extern "C" {
extern const char program[];
extern uint64_t program_stack_end[];
void answer_call();
void run();
int64_t answer(uint64_t call, uint64_t first, uint64_t second, uint64_t third);
}

namespace {

struct Header {  // of an ELF file
    char magic[24];
    uint64_t entry, parts_at, sections_at;
    uint32_t flags;
    uint16_t size, part_size, parts;
};

struct Part {
    uint32_t kind, flags;
    uint64_t offset, address, physical, in_file, in_memory, alignment;
};

constexpr uint16_t kSerial = 0x3f8;
constexpr uint64_t kPage = 4096;
constexpr uint64_t kMemory = uint64_t(256) << 20;
uint64_t memory_end;
uint64_t pages_end = uint64_t(128) << 20;  // where pages of their own begin

void out(uint16_t port, uint8_t value) { asm volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }

uint8_t in(uint16_t port) {
    uint8_t value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

void write_register(uint32_t number, uint64_t value) {
    asm volatile("wrmsr" ::"c"(number), "a"(uint32_t(value)), "d"(uint32_t(value >> 32)));
}

void copy(uint64_t to, const char* from, uint64_t count) {
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count)::"memory");
}

void clear(uint64_t to, uint64_t count) {
    asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0) : "memory");
}

// The states of registers that are asked for, as far as the processor has them.
void switch_on_registers() {
    uint32_t a = 1, b, c = 0, d;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if ((c >> 26 & 1) == 0) return;
    a = 13, c = 0;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    asm volatile("xsetbv" ::"c"(0), "a"(a & (XCR0_WANTED)), "d"(0));
}

void open_serial_port() {
    out(kSerial + 3, 0x83);
    out(kSerial, 1);  // 115,200 bits a second
    out(kSerial + 1, 0);
    out(kSerial + 3, 3);
}

void lay_out_program(const Header& header) {
    for (int number = 0; number < header.parts; ++number) {
        const Part& part = *reinterpret_cast<const Part*>(program + header.parts_at +
                                                          uint64_t(number) * header.part_size);
        if (part.kind != 1) continue;
        copy(part.address, program + part.offset, part.in_file);
        clear(part.address + part.in_file, part.in_memory - part.in_file);
        memory_end = (part.address + part.in_memory + kPage - 1) / kPage * kPage;
    }
}

}  // namespace

int64_t answer(uint64_t call, uint64_t first, uint64_t second, uint64_t third) {
    switch (call) {
        case 1:  // write
            for (uint64_t i = 0; i < third; ++i) {
                while ((in(kSerial + 5) & 0x20) == 0) {}
                out(kSerial, reinterpret_cast<const uint8_t*>(second)[i]);
            }
            return int64_t(third);
        case 9:  // mmap: memory that was never used, which is not taken back
            first = pages_end;
            pages_end += (second + kPage - 1) / kPage * kPage;
            if (pages_end > kMemory) return -12;
            clear(first, pages_end - first);
            return int64_t(first);
        case 10:  // mprotect: all memory may be written
        case 11:  // munmap
            return 0;
        case 12:  // brk
            if (first > memory_end) clear(memory_end, first - memory_end);
            if (first != 0) memory_end = first;
            return int64_t(memory_end);
        case 34:   // pause
        case 60:   // exit
        case 231:  // exit_group
            while (true) asm volatile("hlt");
        case 39:  // getpid
            return 1;
        case 158:  // arch_prctl: the base of fs
            write_register(0xc0000100, second);
            return 0;
    }
    return -38;  // there is no such call
}

void run() {
    switch_on_registers();
    open_serial_port();
    write_register(0xc0000081, uint64_t(8) << 32);
    write_register(0xc0000082, reinterpret_cast<uint64_t>(&answer_call));
    write_register(0xc0000084, 0);
    const Header& header = *reinterpret_cast<const Header*>(program);
    lay_out_program(header);
    static const char name[] = "check", setting[] = SETTING;
    static const uint8_t chance[16] = {4};
    // As a program finds its stack: count and arguments, environment, what the system tells.
    const uint64_t words[] = {1, reinterpret_cast<uint64_t>(name), 0,
                              reinterpret_cast<uint64_t>(setting), 0,
                              6, kPage,                                  // AT_PAGESZ
                              25, reinterpret_cast<uint64_t>(chance),    // AT_RANDOM
                              0, 0};
    constexpr size_t count = sizeof words / sizeof *words;
    uint64_t* stack = program_stack_end - (count + 1) / 2 * 2;
    for (size_t i = 0; i < count; ++i) stack[i] = words[i];
    asm volatile("movq %0, %%rsp\n xorl %%edx, %%edx\n jmp *%1" ::"a"(stack), "c"(header.entry));
}
