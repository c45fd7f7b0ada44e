import type { Form } from './encoded.ts';

/** What may be left out of a form: JSON, the object itself. */
export type FormSpec = Pick<Form, 'apiVersion'> & Partial<Form>;

/** Makes forms, each once, so that equal forms are the same reference. One for a server. */
export class Forms {
  /** By apiVersion, of which each has a few: every request comes by here. */
  readonly #all = new Map<string, Form[]>();

  get(spec: FormSpec): Form {
    const { apiVersion, media = 'json', as = 'object' } = spec;
    const asVersion = as === 'object' ? 'v1' : (spec.asVersion ?? 'v1');
    const includeObject = as === 'table' ? spec.includeObject || 'Metadata' : '';
    const columns = as === 'table' && (spec.columns ?? true);
    let known = this.#all.get(apiVersion);
    if (!known) this.#all.set(apiVersion, (known = []));
    for (let at = 0; at < known.length; at++) {
      const form = known[at] as Form;
      if (form.media !== media || form.as !== as || form.asVersion !== asVersion) continue;
      if (form.includeObject === includeObject && form.columns === columns) return form;
    }
    const form: Form = Object.freeze({ apiVersion, media, as, asVersion, includeObject, columns });
    known.push(form);
    return form;
  }

  /** The form of a table watch's second and later events. */
  withoutColumns(form: Form): Form {
    return form.columns ? this.get({ ...form, columns: false }) : form;
  }
}
