import type { Random } from '../../libs/base/random.ts';
import type {
  Transport,
  TransportRequest,
  TransportResponse,
  TransportWatch,
  TransportWatchSink,
} from '../../libs/client/transport.ts';
import { TransportError } from '../../libs/kind/client.ts';
import type { NodeClock } from './node-clock.ts';

/** A request that gets no answer is given up after so long, as clients of Kubernetes do. */
const ANSWER_MS = 10_000;

/** The cable between a simulated machine and the rest of the cluster. */
export class Link {
  readonly clock: NodeClock;
  readonly random: Random;
  /** Added to every request, in milliseconds. */
  delayMs = 0;
  /** The share of requests (0 to 1) that are lost: half of them before they are done, half of them their answers. */
  loss = 0;
  /** How many requests were refused, lost or delayed, and how many watches broke. */
  readonly counts = { cut: 0, lost: 0, delayed: 0, watches: 0 };
  #cut = false;
  /** What breaks the watches that go over it. */
  readonly #watches = new Set<() => void>();
  /** The machine has no power: whoever still sends belongs to a life that is over. */
  #life = 0;

  constructor(clock: NodeClock, random: Random) {
    this.clock = clock;
    this.random = random;
  }

  /** Nothing gets through, either way; watches break. */
  get cut(): boolean {
    return this.#cut;
  }

  set cut(cut: boolean) {
    this.#cut = cut;
    if (cut) this.#breakWatches();
  }

  /** A watch goes over it, until the result is called: `broken` is called when it breaks. */
  carry(broken: () => void): () => void {
    this.#watches.add(broken);
    return () => void this.#watches.delete(broken);
  }

  #breakWatches(): void {
    const broken = [...this.#watches];
    this.#watches.clear();
    this.counts.watches += broken.length;
    for (const one of broken) one();
  }

  /** A transport over this cable, until `endLife`. */
  over(transport: Transport): Transport {
    return new LinkTransport(this, transport, this.#life);
  }

  endLife(): void {
    this.#life++;
    this.#breakWatches();
  }

  /** Requests get through it as if it were not there. */
  get isWhole(): boolean {
    return !this.cut && this.loss === 0 && this.delayMs === 0 && !this.clock.paused;
  }

  isOver(life: number): boolean {
    return life !== this.#life;
  }
}

class LinkTransport implements Transport {
  readonly #link: Link;
  readonly #inner: Transport;
  readonly #life: number;

  constructor(link: Link, inner: Transport, life: number) {
    this.#link = link;
    this.#inner = inner;
    this.#life = life;
  }

  request(request: TransportRequest): Promise<TransportResponse> {
    const link = this.#link;
    return link.isWhole && !link.isOver(this.#life) ? this.#inner.request(request) : this.#through(request);
  }

  async #through(request: TransportRequest): Promise<TransportResponse> {
    await this.#cross(request, false);
    const answer = await this.#inner.request(request);
    await this.#cross(request, true);
    return answer;
  }

  watch(request: TransportRequest, sink: TransportWatchSink): Promise<TransportWatch> {
    const link = this.#link;
    if (!link.isWhole || link.isOver(this.#life)) return this.#watchThrough(request, sink);
    return new CarriedWatch(link, sink).open(this.#inner, request);
  }

  async #watchThrough(request: TransportRequest, sink: TransportWatchSink): Promise<TransportWatch> {
    await this.#cross(request, false);
    return new CarriedWatch(this.#link, sink).open(this.#inner, request);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** One way of a request. Throws `TransportError` where it does not arrive. */
  async #cross(request: TransportRequest, sent: boolean): Promise<void> {
    const link = this.#link;
    if (link.isOver(this.#life)) throw new TransportError('the machine lost its power', { sent });
    await link.clock.whenRunning();
    const lost = link.loss > 0 && link.random.next() < link.loss / 2;
    if (link.cut || lost) {
      link.counts[link.cut ? 'cut' : 'lost']++;
      await link.clock.sleep(ANSWER_MS, request.signal);
      throw new TransportError('no answer: i/o timeout', { sent });
    }
    if (link.delayMs > 0 && !sent) {
      link.counts.delayed++;
      await link.clock.sleep(link.delayMs, request.signal);
    }
  }
}

/** A watch that goes over a cable. */
class CarriedWatch implements TransportWatchSink, TransportWatch {
  readonly #sink: TransportWatchSink;
  readonly #leave: () => void;
  #inner: TransportWatch | undefined;
  #isBroken = false;

  constructor(link: Link, sink: TransportWatchSink) {
    this.#sink = sink;
    this.#leave = link.carry(() => this.#break());
  }

  open(transport: Transport, request: TransportRequest): Promise<TransportWatch> {
    return transport.watch(request, this).then(
      (inner) => {
        this.#inner = inner;
        if (this.#isBroken) inner.close();
        return this;
      },
      (error: unknown) => {
        this.#leave();
        throw error;
      },
    );
  }

  event(type: string, object: Parameters<TransportWatchSink['event']>[1]): void {
    if (!this.#isBroken) this.#sink.event(type, object);
  }

  ended(error: Error | undefined): void {
    this.#leave();
    if (!this.#isBroken) this.#sink.ended(error);
  }

  room(): Promise<void> | undefined {
    return this.#sink.room?.();
  }

  close(): void {
    this.#leave();
    this.#inner?.close();
  }

  #break(): void {
    this.#isBroken = true;
    this.#inner?.close();
    this.#sink.ended(new TransportError('the connection of the watch broke', { sent: true }));
  }
}
