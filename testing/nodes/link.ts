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
  /** Nothing gets through, either way. */
  cut = false;
  /** Added to every request, in milliseconds. */
  delayMs = 0;
  /** The share of requests (0 to 1) that are lost: half of them before they are done, half of them their answers. */
  loss = 0;
  /** How many requests were refused, lost or delayed. */
  readonly counts = { cut: 0, lost: 0, delayed: 0 };
  /** The machine has no power: whoever still sends belongs to a life that is over. */
  #life = 0;

  constructor(clock: NodeClock, random: Random) {
    this.clock = clock;
    this.random = random;
  }

  /** A transport over this cable, until `endLife`. */
  over(transport: Transport): Transport {
    return new LinkTransport(this, transport, this.#life);
  }

  endLife(): void {
    this.#life++;
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

  async request(request: TransportRequest): Promise<TransportResponse> {
    const link = this.#link;
    if (link.isWhole && !link.isOver(this.#life)) return this.#inner.request(request);
    await this.#cross(request, false);
    const answer = await this.#inner.request(request);
    await this.#cross(request, true);
    return answer;
  }

  async watch(request: TransportRequest, sink: TransportWatchSink): Promise<TransportWatch> {
    await this.#cross(request, false);
    return this.#inner.watch(request, sink);
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
