/**
 * The program of the sandbox image: holds a pod's namespaces, reaps orphans as process 1, ends on SIGTERM or SIGINT.
 *
 * Written as machine code, so that a node needs neither a compiler, nor somebody’s image, nor the internet. It blocks SIGCHLD, SIGTERM and
 * SIGINT (a blocked signal reaches even a process 1 that has no handler) and waits for them one by one:
 *
 *     sigprocmask(SIG_BLOCK, mask)
 *     wait: signal = sigtimedwait(mask); if signal < 0 goto wait; if signal != SIGCHLD exit_group(0)
 *     reap: if wait4(-1, WNOHANG) > 0 goto reap; goto wait
 */
const CODE: Readonly<Record<string, { readonly machine: number; readonly hex: string }>> = {
  x64: {
    machine: 62,
    hex: `b80e000000 31ff 488d354a000000 31d2 6a08 415a 0f05
      b880000000 488d3d36000000 31f6 31d2 6a08 415a 0f05 83f811 740d 85c0 78e1 b8e7000000 31ff 0f05
      b83d000000 83cfff 31f6 6a01 5a 4531d2 0f05 85c0 7fea ebc0 6690
      0240010000000000`,
  },
  arm64: {
    machine: 183,
    hex: `e81080d2 000080d2 41030010 020080d2 030180d2 010000d4
      281180d2 a0020010 010080d2 020080d2 030180d2 010000d4 1f440071 a0000054 00ffff37 c80b80d2 000080d2 010000d4
      882080d2 00008092 010080d2 220080d2 030080d2 010000d4 1f000071 2cffff54 ecffff17 1f2003d5
      0240010000000000`,
  },
};

const LOAD_ADDRESS = 0x400000n;
const HEADERS_SIZE = 64 + 56;

/** A static ELF executable for `architecture` (as Node names them); throws for one that is not known. */
export function pauseProgram(architecture: string = process.arch): Buffer {
  const code = CODE[architecture];
  if (code === undefined) throw new Error(`no pause program for ${architecture}`);
  const text = Buffer.from(code.hex.replace(/\s/g, ''), 'hex');
  const header = Buffer.alloc(HEADERS_SIZE);
  const size = BigInt(HEADERS_SIZE + text.length);
  header.write('\x7fELF', 'latin1');
  header.set([2, 1, 1], 4); // 64 bits, little endian, version 1
  header.writeUInt16LE(2, 16); // an executable
  header.writeUInt16LE(code.machine, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(LOAD_ADDRESS + BigInt(HEADERS_SIZE), 24); // entry
  header.writeBigUInt64LE(64n, 32); // program headers
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(1, 64); // one segment to load …
  header.writeUInt32LE(5, 68); // … readable and executable …
  header.writeBigUInt64LE(LOAD_ADDRESS, 80);
  header.writeBigUInt64LE(LOAD_ADDRESS, 88);
  header.writeBigUInt64LE(size, 96); // … the whole file
  header.writeBigUInt64LE(size, 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, text]);
}
