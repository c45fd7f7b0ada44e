import { type ApiRequest, type ApiResponse, NoAnswerError, type WatchBody } from '../../control-plane/apiserver/api.ts';
import { respond, wholeBody } from '../../control-plane/apiserver/responses.ts';
import type { Clock } from '../../libs/base/clock.ts';
import type { Status } from '../../libs/machinery/errors.ts';
import type { ApiFault, RequestFacts } from './api-faults.ts';
import { DELAY_MS, EXPIRED, type FaultyWays, factsOf, refusalOf } from './fault-transport.ts';
import { RecentAnswers } from './recent-answers.ts';

type Handle = (request: ApiRequest) => Promise<ApiResponse>;

export interface FaultyEndpointOptions {
  readonly handle: Handle;
  readonly ways: FaultyWays;
  /** The name of who sent a request. */
  readonly whoIs: (request: ApiRequest) => Promise<string>;
  /** Delays are of the clients' time, which is the machine's. */
  readonly clock: Clock;
}

/**
 * The way of real clients (`kubectl`, a process in any language) into a simulated cluster: the same faults lie in wait on it
 * as on the ways of clients in this process. What is lost is a connection that breaks.
 */
export function faultyEndpoint(options: FaultyEndpointOptions): Handle {
  const endpoint = new FaultyEndpoint(options);
  return (request) => endpoint.handle(request);
}

class FaultyEndpoint {
  readonly #options: FaultyEndpointOptions;
  readonly #answers = new RecentAnswers<ApiResponse>();

  constructor(options: FaultyEndpointOptions) {
    this.#options = options;
  }

  async handle(request: ApiRequest): Promise<ApiResponse> {
    const { handle, ways } = this.#options;
    const mayWatch = isWatch(request);
    if (!ways.faults.any && !mayWatch) return handle(request);
    const facts = await this.#factsOf(request, mayWatch);
    const drawn = ways.faults.any ? ways.faults.draw(facts) : [];
    const befalls = (kind: ApiFault['fault']) => drawn.some(({ fault }) => fault === kind);
    const refused = await this.#before(drawn, request);
    if (refused) return refused;
    if (befalls('expire') && /(^|&)resourceVersion=[1-9]/.test(request.query)) return statusAnswer(EXPIRED);
    const key = `${facts.user} ${request.headers['accept'] ?? ''} ${request.path}?${request.query}`;
    const earlier = befalls('stale') ? this.#answers.get(key) : undefined;
    if (earlier) return earlier;
    const answer = await handle(request);
    if (request.method === 'GET' && answer.code === 200 && answer.body.form === 'whole')
      this.#answers.remember(key, answer);
    if (befalls('duplicate')) await handle(request);
    if (befalls('lose-answer')) throw new NoAnswerError('the answer is lost: a fault of the simulation');
    const { body } = answer;
    return body.form === 'watch' ? { ...answer, body: this.#breakable(body, facts) } : answer;
  }

  async #factsOf(request: ApiRequest, watches: boolean): Promise<RequestFacts> {
    const user = await this.#options.whoIs(request).catch(() => '');
    const facts = factsOf(request, user);
    return watches ? { ...facts, verb: 'watch' } : facts;
  }

  async #before(drawn: readonly ApiFault[], request: ApiRequest): Promise<ApiResponse | undefined> {
    for (const { fault, delayMs = DELAY_MS, code = 503 } of drawn) {
      if (fault === 'delay') await this.#options.clock.sleep(delayMs, request.signal);
      else if (fault === 'lose-request') throw new NoAnswerError('the request is lost: a fault of the simulation');
      else if (fault === 'refuse') return statusAnswer(refusalOf(code));
    }
    return undefined;
  }

  #breakable(body: WatchBody, facts: RequestFacts): WatchBody {
    const { ways } = this.#options;
    const open: WatchBody['open'] = (sink) => {
      let over = false;
      let leave: () => void = () => undefined;
      const end = () => {
        over = true;
        leave();
      };
      const handle = body.open({
        ...(sink.room && { room: () => sink.room?.() }),
        event: (event) => !over && sink.event(event),
        end() {
          if (over) return;
          end();
          sink.end();
        },
      });
      leave = ways.follow(facts, () => {
        if (over) return;
        end();
        handle.close();
        sink.end();
      });
      if (over) leave();
      return {
        close() {
          end();
          handle.close();
        },
      };
    };
    return { ...body, open };
  }
}

const isWatch = ({ method, query }: ApiRequest): boolean =>
  method === 'GET' && /(^|&)watch=(?!false(&|$)|0(&|$))/.test(query);

const statusAnswer = (status: Status): ApiResponse => respond(status.code ?? 500, wholeBody({ value: status }));
