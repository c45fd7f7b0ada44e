import type { Random } from '../../libs/base/random.ts';
import type { MemoryFiles } from '../../libs/testing/memory-files.ts';
import type { SimulatedLogs } from '../../node/cri/fake/log-files.ts';

/** Containers' logs on the disk of a simulated machine: its kubelet reads, rotates and removes them there. */
export class MachineLogs implements SimulatedLogs {
  readonly #files: MemoryFiles;
  readonly #made = new Set<string>();
  readonly #making = new Map<string, Promise<void>>();

  constructor(files: MemoryFiles) {
    this.#files = files;
  }

  append(path: string, data: Uint8Array): void {
    const folder = path.slice(0, path.lastIndexOf('/'));
    // A disk that is full, or a folder that went with its pod, loses lines, as on any machine.
    const lost = () => void this.#made.delete(folder);
    if (this.#made.has(folder)) return void this.#files.append(path, data).catch(lost);
    // Lines keep their order: those that come while the folder is made follow one another.
    const before = this.#making.get(folder) ?? this.#files.makeDirectory(folder, { mode: 0o755 });
    const written: Promise<void> = before
      .then(() => this.#files.append(path, data))
      .catch(lost)
      .finally(() => {
        if (this.#making.get(folder) !== written) return;
        this.#making.delete(folder);
        this.#made.add(folder);
      });
    this.#making.set(folder, written);
  }
}

/** What a machine's firmware and system say of it. A new boot has a new boot id. */
export async function writeMachineFacts(files: MemoryFiles, random: Random): Promise<void> {
  const hex = '0123456789abcdef';
  const machine = random.fork('machine');
  await files.makeDirectory('/etc', { mode: 0o755 });
  await files.makeDirectory('/sys/class/dmi/id', { mode: 0o755 });
  await files.makeDirectory('/proc/sys/kernel/random', { mode: 0o755 });
  // Where the runtime says that its images are.
  await files.makeDirectory('/var/lib/containerd', { mode: 0o711 });
  await files.write('/etc/machine-id', machine.text(32, hex));
  await files.write('/etc/os-release', 'PRETTY_NAME="Tutti simulated machine"\n');
  await files.write('/etc/resolv.conf', '');
  await files.write('/sys/class/dmi/id/product_uuid', machine.uuid());
  await files.write('/proc/sys/kernel/random/boot_id', random.uuid());
}
