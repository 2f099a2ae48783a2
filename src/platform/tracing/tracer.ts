/** What is told of a span: never arguments, results or secrets. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** The trace that somebody else began, as W3C Trace Context writes it. */
export interface TraceParent {
  readonly traceparent: string;
  readonly tracestate?: string | undefined;
}

export interface SpanStart {
  readonly name: string;
  /** When it began, in milliseconds since the epoch. */
  readonly at: number;
  /** Asked for only if the span is kept. */
  readonly attributes?: () => Attributes;
}

/** A part of a trace that has begun and has to be ended. */
export interface Span {
  readonly traceId: string;
  /** False: nobody will see it, so nothing needs to be told of it. */
  readonly isKept: boolean;
  /** Headers that make what they are sent with a part of this span. */
  readonly headers: Readonly<Record<string, string>>;
  /** Something that this process asks another one for meanwhile. */
  child(start: SpanStart): Span;
  /** `error`: a short word for how it failed; absent where it did not. */
  end(o: {
    readonly at: number;
    readonly name?: string;
    readonly attributes?: () => Attributes;
    readonly error?: string;
  }): void;
}

export interface Tracer {
  /** A request that came in; a parent that cannot be read counts as none. */
  begin(start: SpanStart & { readonly parent: TraceParent | undefined }): Span;
  /** Since when no spans can be delivered; null while they can. */
  failingSince(): Date | null;
  /** Spans that were delivered, and those that were lost. */
  counts(): { readonly exported: number; readonly lost: number };
  /** Delivers what is left, within two seconds. */
  close(): Promise<void>;
}
