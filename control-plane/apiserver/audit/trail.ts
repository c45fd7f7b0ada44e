import type { Clock } from '../../../libs/base/clock.ts';
import type { Random } from '../../../libs/base/random.ts';
import type { RequestContext, UserInfo } from '../../../libs/kind/request.ts';
import { statusOf } from '../../../libs/machinery/errors.ts';
import type { ApiRequest, ApiResponse } from '../api.ts';
import type { AuditRecord } from '../server.ts';

/** What is told of one request, stage by stage. */
export class AuditTrail {
  /** As its trace is, or drawn once somebody asks. */
  readonly id = (): string => {
    this.#id ??= this.#random.uuid().replaceAll('-', '');
    return this.#id;
  };
  readonly #told: (record: AuditRecord) => void;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #ctx: RequestContext;
  readonly #request: ApiRequest;
  readonly #authenticated: UserInfo;
  #id: string | undefined;

  constructor(
    told: (record: AuditRecord) => void,
    { clock, random }: { readonly clock: Clock; readonly random: Random },
    ctx: RequestContext,
    request: ApiRequest,
    authenticated: UserInfo,
  ) {
    this.#told = told;
    this.#clock = clock;
    this.#random = random;
    this.#ctx = ctx;
    this.#request = request;
    this.#authenticated = authenticated;
    this.#id = ctx.trace;
  }

  received(): void {
    this.#tell('RequestReceived');
  }

  /** A watch goes on until `ended`. */
  answered(response: ApiResponse): void {
    const stage = response.body.form === 'watch' ? 'ResponseStarted' : 'ResponseComplete';
    this.#tell(stage, response.code, response);
  }

  ended(code: number): void {
    this.#tell('ResponseComplete', code);
  }

  failed(error: unknown): void {
    const failure = statusOf(error);
    this.#tell('ResponseComplete', failure.code ?? 500, undefined, failure);
  }

  /** Of one of whom nothing else is told. */
  refused(code: number, failure: AuditRecord['failure']): void {
    this.#tell('ResponseStarted', code, undefined, failure);
  }

  #tell(stage: AuditRecord['stage'], code?: number, response?: ApiResponse, failure?: AuditRecord['failure']): void {
    this.#told({
      timeMs: this.#clock.now(),
      ctx: this.#ctx,
      id: this.id,
      authenticated: this.#authenticated,
      request: this.#request,
      stage,
      code,
      response,
      failure,
    });
  }
}
