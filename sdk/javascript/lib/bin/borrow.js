/**
 * Gives borrowed handles back in time.
 *
 * A component must drop what it borrowed before its export returns; the canonical ABI traps
 * otherwise. componentize-qjs 0.4.5 with `sync` drops it after the return, in the function that
 * frees the answer's memory, which is too late and forbidden there. So every export of ours that
 * takes the call in progress would trap. This puts one drop where it belongs, behind the call of
 * the author's code, and leaves the freeing out: the host throws the whole memory away after each
 * call. Nothing else is changed, and a component that looks different is refused, so that a new
 * version of the tool shows here and not in a rollout.
 */

const CORE_MODULE = 1;
const COMPONENT = 4;
const IMPORTS = 2;
const EXPORTS = 7;
const CODE = 10;
const HEADER = 8;
const CALL = 0x10;
const DROP = 0x1a;
/** `local.get 0`: the borrowed handle, always the first parameter. */
const HANDLE = [0x20, 0];
/** `local.get c`, `i32.const n`. */
const ARGUMENTS = /\x20[\x80-\xff]*[\x00-\x7f]\x41[\x80-\xff]*[\x00-\x7f]$/;

/** The module that componentize-qjs generates between the contract and the engine. */
const GLUE = { module: "sluice:plugin/context@0.1.0", name: "[resource-drop]invocation" };

/** A reader of one part of a binary. */
class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  get done() {
    return this.at >= this.bytes.length;
  }

  byte() {
    if (this.done) throw unknown("it ends in the middle");
    return this.bytes[this.at++];
  }

  /** An unsigned number, seven bits a byte. */
  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  take(length) {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  text() {
    return Buffer.from(this.take(this.number())).toString("utf8");
  }
}

function number(value) {
  const bytes = [];
  do {
    const rest = Math.floor(value / 128);
    bytes.push((value % 128) | (rest > 0 ? 0x80 : 0));
    value = rest;
  } while (value > 0);
  return Uint8Array.from(bytes);
}

function sized(payload) {
  return Buffer.concat([number(payload.length), payload]);
}

/**
 * The component with its drops in place.
 *
 * @param {Uint8Array} component
 * @returns {Buffer}
 */
export function giveBack(component) {
  const { bytes, mended } = inside(component);
  if (mended !== 1) throw unknown(`${mended} modules drop the call in progress`);
  return bytes;
}

/** A binary with the glue mended, on whatever level it lies. */
function inside(binary) {
  const parts = [binary.subarray(0, HEADER)];
  let mended = 0;
  const reader = new Reader(binary, HEADER);
  while (!reader.done) {
    const id = reader.byte();
    let payload = reader.take(reader.number());
    if (id === COMPONENT) {
      const inner = inside(payload);
      mended += inner.mended;
      payload = inner.bytes;
    } else if (id === CORE_MODULE) {
      const module = mendModule(payload);
      if (module !== undefined) {
        mended += 1;
        payload = module;
      }
    }
    parts.push(Buffer.from([id]), sized(payload));
  }
  return { bytes: Buffer.concat(parts), mended };
}

function sections(module) {
  const found = [];
  const reader = new Reader(module, HEADER);
  while (!reader.done) {
    const id = reader.byte();
    found.push({ id, payload: reader.take(reader.number()) });
  }
  return found;
}

/** The glue with its drops, or undefined where this module is another. */
function mendModule(module) {
  const all = sections(module);
  const imports = functionImports(all.find(({ id }) => id === IMPORTS)?.payload);
  const index = (name, from = "env") =>
    imports.findIndex((one) => one.name === name && one.module === from);
  const drop = index(GLUE.name, GLUE.module);
  if (drop < 0) return undefined;
  const calls = {
    drop,
    borrow: index("wit_dylib_push_borrow"),
    run: index("wit_dylib_export_call"),
    free: index("wit_dylib_export_finish"),
  };
  if (Object.values(calls).some((one) => one < 0)) throw unknown("the glue imports other functions");
  const exports = functionExports(all.find(({ id }) => id === EXPORTS)?.payload);
  const parts = [module.subarray(0, HEADER)];
  for (const { id, payload } of all) {
    const whole = id === CODE ? mendCode(payload, imports.length, exports, calls) : payload;
    parts.push(Buffer.from([id]), sized(whole));
  }
  return Buffer.concat(parts);
}

function functionImports(payload) {
  const reader = new Reader(payload ?? new Uint8Array([0]));
  const found = [];
  for (let left = reader.number(); left > 0; left -= 1) {
    const module = reader.text();
    const name = reader.text();
    const kind = reader.byte();
    if (kind === 0) {
      reader.number();
      found.push({ module, name });
    } else if (kind === 3) {
      reader.take(2);
    } else {
      if (kind === 1) reader.byte();
      const flags = reader.byte();
      reader.number();
      if ((flags & 1) === 1) reader.number();
    }
  }
  return found;
}

/** Function indices by export name. */
function functionExports(payload) {
  const reader = new Reader(payload ?? new Uint8Array([0]));
  const found = new Map();
  for (let left = reader.number(); left > 0; left -= 1) {
    const name = reader.text();
    const kind = reader.byte();
    const at = reader.number();
    if (kind === 0) found.set(name, at);
  }
  return found;
}

function mendCode(payload, imported, exports, calls) {
  const reader = new Reader(payload);
  const bodies = [];
  for (let left = reader.number(); left > 0; left -= 1) bodies.push(reader.take(reader.number()));
  for (const [name, at] of exports) {
    const freeing = exports.get(`cabi_post_${name}`);
    const body = bodies[at - imported];
    if (freeing === undefined || ends(body, [...HANDLE, ...call(calls.borrow)]).length === 0) continue;
    bodies[at - imported] = withDrop(body, calls, name);
    bodies[freeing - imported] = withoutFreeing(bodies[freeing - imported], calls, name);
  }
  return Buffer.concat([number(bodies.length), ...bodies.map(sized)]);
}

/** Behind the call of the author's code: the borrowed handle, and its drop. */
function withDrop(body, calls, name) {
  const [end, ...others] = ends(body, call(calls.run));
  if (end === undefined || others.length > 0) throw unknown(`${name} calls the engine in another way`);
  const dropped = Uint8Array.from([...HANDLE, ...call(calls.drop)]);
  return Buffer.concat([body.subarray(0, end), dropped, body.subarray(end)]);
}

/** Both arguments are dropped instead of handed to the function that frees. */
function withoutFreeing(body, calls, name) {
  const freed = call(calls.free);
  const [end, ...others] = ends(body, freed);
  if (end === undefined || others.length > 0) throw unknown(`${name} frees its answer in another way`);
  return Buffer.concat([
    body.subarray(0, end - freed.length),
    Uint8Array.from([DROP, DROP]),
    body.subarray(end),
  ]);
}

function call(index) {
  return [CALL, ...number(index)];
}

/**
 * Where these bytes end, behind the two arguments that every function of the engine gets first: the
 * context and a number of a type or an export, `local.get c`, `i32.const n`.
 */
function ends(body, bytes) {
  const found = [];
  const text = Buffer.from(body).toString("latin1");
  const wanted = String.fromCharCode(...bytes);
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    if (ARGUMENTS.test(text.slice(0, at))) found.push(at + bytes.length);
  }
  return found;
}

function unknown(why) {
  return new Error(
    `componentize-qjs wrote a component that this version of sluice-sdk does not know: ${why}; ` +
      "use componentize-qjs 0.4.5, as package.json says",
  );
}
