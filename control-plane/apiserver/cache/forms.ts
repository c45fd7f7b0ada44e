import type { Form } from './encoded.ts';

/** What may be left out of a form: JSON, the object itself. */
export type FormSpec = Pick<Form, 'apiVersion'> & Partial<Form>;

/** Makes forms, each once, so that equal forms are the same reference. One for a server. */
export class Forms {
  readonly #all = new Map<string, Form>();

  get(spec: FormSpec): Form {
    const { apiVersion, media = 'json', as = 'object', asVersion = 'v1' } = spec;
    const includeObject = as === 'table' ? spec.includeObject || 'Metadata' : '';
    const columns = as === 'table' && (spec.columns ?? true);
    const id = `${apiVersion} ${media} ${as} ${as === 'object' ? 'v1' : asVersion} ${includeObject} ${columns}`;
    let form = this.#all.get(id);
    if (!form) {
      form = Object.freeze({
        apiVersion,
        media,
        as,
        asVersion: as === 'object' ? 'v1' : asVersion,
        includeObject,
        columns,
      });
      this.#all.set(id, form);
    }
    return form;
  }

  /** The form of a table watch's second and later events. */
  withoutColumns(form: Form): Form {
    return form.columns ? this.get({ ...form, columns: false }) : form;
  }
}
