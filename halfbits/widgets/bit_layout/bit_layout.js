/**
 * BitLayout: one value as the bits of several floating-point formats, side by side.
 *
 * Four parts, top to bottom:
 *   1. arithmetic   patterns and values, exact, the same rules as halfbits/formats.py
 *   2. text         parsing what is typed; numbers, formulas and sentences to show
 *   3. number line  which numbers of a format lie in view, and where
 *   4. view         the DOM, and `render` for anywidget
 *
 * Parts 1 to 3 touch no DOM and are exported, so that tests run them in Node against Python. A bit pattern, and
 * every value, is a BigInt: a value is the 64 bits of its float64, because JavaScript's own numbers may lose the
 * payload of a NaN, and JSON loses NaN altogether.
 */

// ── 1. arithmetic ────────────────────────────────────────────────────────────────────────────────────────────

const FP64_MANTISSA_BITS = 52;
const FP64_BIAS = 1023;
const FP64_SIGN = 1n << 63n;
const FP64_INFINITY = 0x7ffn << 52n;
const FP64_MANTISSA_MASK = (1n << 52n) - 1n;

const scratch = new DataView(new ArrayBuffer(8));

/** The 64 bits of a JavaScript number. */
export function fromNumber(number) {
  scratch.setFloat64(0, number);
  return scratch.getBigUint64(0);
}

/** The JavaScript number with these 64 bits. */
export function toNumber(value) {
  scratch.setBigUint64(0, value);
  return scratch.getFloat64(0);
}

function layout(name, exponentBits, mantissaBits, { hasInfinity = true, keepsNanPayload = true } = {}) {
  const bias = 2 ** (exponentBits - 1) - 1;
  const mantissaShift = BigInt(mantissaBits);
  const exponentMask = (1n << BigInt(exponentBits)) - 1n;
  const mantissaMask = (1n << mantissaShift) - 1n;
  // What a magnitude too large becomes: infinity, or NaN (all ones) where the format has no infinity.
  const overflow = (exponentMask << mantissaShift) | (hasInfinity ? 0n : mantissaMask);
  return Object.freeze({
    name,
    exponentBits,
    mantissaBits,
    hasInfinity,
    keepsNanPayload,
    bits: 1 + exponentBits + mantissaBits,
    bias,
    minExponent: 1 - bias,
    maxExponent: hasInfinity ? bias : bias + 1,
    mantissaShift,
    exponentMask,
    mantissaMask,
    overflow,
    maxFinite: overflow - 1n,
    signBit: 1n << BigInt(exponentBits + mantissaBits),
  });
}

/** The formats of halfbits.formats.FORMATS, by name. */
export const FORMATS = Object.freeze(
  Object.fromEntries(
    [
      layout("fp64", 11, 52),
      layout("fp32", 8, 23),
      layout("tf32", 8, 10),
      layout("fp16", 5, 10),
      layout("bf16", 8, 7, { keepsNanPayload: false }),
      layout("fp8_e4m3", 4, 3, { hasInfinity: false, keepsNanPayload: false }),
      layout("fp8_e5m2", 5, 2, { keepsNanPayload: false }),
    ].map((format) => [format.name, format]),
  ),
);

/** Sign, exponent and mantissa of a pattern. */
export function fields(format, pattern) {
  return {
    sign: Number(pattern >> BigInt(format.bits - 1)),
    exponent: Number((pattern >> format.mantissaShift) & format.exponentMask),
    mantissa: pattern & format.mantissaMask,
  };
}

/** "zero", "subnormal", "normal", "inf" or "nan". */
export function classify(format, pattern) {
  const magnitude = pattern & (format.signBit - 1n);
  if (magnitude === 0n) return "zero";
  if (magnitude > format.maxFinite) return format.hasInfinity && magnitude === format.overflow ? "inf" : "nan";
  return magnitude <= format.mantissaMask ? "subnormal" : "normal";
}

/** The value of a pattern: the 64 bits of a float64. Exact, since no format here is wider than that. */
export function decode(format, pattern) {
  if (format.bits === 64) return pattern;
  const { sign, exponent, mantissa } = fields(format, pattern);
  const signBit = sign ? FP64_SIGN : 0n;
  const widen = BigInt(FP64_MANTISSA_BITS - format.mantissaBits);
  switch (classify(format, pattern)) {
    case "zero":
      return signBit;
    case "inf":
    case "nan":
      return signBit | FP64_INFINITY | (mantissa << widen);
    case "normal":
      return signBit | joinFp64(exponent - format.bias, mantissa << widen);
    default: {
      // A subnormal here is a normal float64: move its first 1 to where the hidden bit stands.
      const lead = bitLength(mantissa) - 1;
      const fraction = (mantissa << BigInt(FP64_MANTISSA_BITS - lead)) & FP64_MANTISSA_MASK;
      return signBit | joinFp64(format.minExponent - format.mantissaBits + lead, fraction);
    }
  }
}

/** The pattern nearest to a value: round to nearest, ties to even, in one rounding from the float64. */
export function encode(format, value) {
  const signBit = value & FP64_SIGN ? format.signBit : 0n;
  const mantissa = value & FP64_MANTISSA_MASK;
  if ((value & FP64_INFINITY) === FP64_INFINITY) {
    return signBit | (mantissa ? nanPattern(format, mantissa) : format.overflow);
  }
  const { exponent, significand } = parts(value);
  const target = Math.max(exponent, format.minExponent);
  const units = roundedShift(significand, FP64_MANTISSA_BITS - format.mantissaBits + target - exponent);
  // Adding rather than joining the fields lets a mantissa that rounds up carry into the exponent.
  const pattern = units + (BigInt(target - format.minExponent) << format.mantissaShift);
  return signBit | (pattern > format.maxFinite ? format.overflow : pattern);
}

/** The gap between the neighbours around a value, as a number; of the top binade beyond the maximum. */
export function ulp(format, value) {
  if (!isFinite64(value)) return NaN;
  const exponent = Math.min(Math.max(parts(value).exponent, format.minExponent), format.maxExponent);
  return 2 ** (exponent - format.mantissaBits);
}

/** The pattern of the least value above; NaN and the top of the format stay what they are. */
export function nextUp(format, pattern) {
  const top = format.hasInfinity ? format.overflow : format.maxFinite;
  if (pattern === top || classify(format, pattern) === "nan") return pattern;
  if (pattern === format.signBit) return 1n;
  return pattern > format.signBit ? pattern - 1n : pattern + 1n;
}

/** The pattern of the greatest value below. */
export function nextDown(format, pattern) {
  return nextUp(format, pattern ^ format.signBit) ^ format.signBit;
}

/** All rows for a value. */
export function stateOfValue(names, value) {
  return { value, bits: Object.fromEntries(names.map((name) => [name, encode(FORMATS[name], value)])) };
}

/** All rows when one of them is set: it is the source, and keeps its pattern even where that is a NaN. */
export function stateOfRow(names, source, pattern) {
  const state = stateOfValue(names, decode(FORMATS[source], pattern));
  state.bits[source] = pattern;
  return state;
}

function isFinite64(value) {
  return (value & FP64_INFINITY) !== FP64_INFINITY;
}

/** A finite float64 as significand × 2^(exponent − 52). */
function parts(value) {
  const field = Number((value >> 52n) & 0x7ffn);
  const mantissa = value & FP64_MANTISSA_MASK;
  return { exponent: Math.max(field, 1) - FP64_BIAS, significand: field ? mantissa | (1n << 52n) : mantissa };
}

function joinFp64(exponent, fraction) {
  return (BigInt(exponent + FP64_BIAS) << 52n) | fraction;
}

function bitLength(integer) {
  return integer.toString(2).length;
}

function roundedShift(integer, shift) {
  if (shift === 0) return integer;
  const by = BigInt(shift);
  const kept = integer >> by;
  const rest = integer - (kept << by);
  const half = 1n << (by - 1n);
  return rest > half || (rest === half && kept & 1n) ? kept + 1n : kept;
}

function nanPattern(format, payload) {
  if (!format.hasInfinity) return format.overflow;
  if (!format.keepsNanPayload) return format.overflow | (1n << (format.mantissaShift - 1n));
  const top = payload >> BigInt(FP64_MANTISSA_BITS - format.mantissaBits);
  // A payload whose top bits are all 0 must not turn into an infinity.
  return format.overflow | (top || 1n);
}

// ── 2. text ──────────────────────────────────────────────────────────────────────────────────────────────────

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const NUMBER = String.raw`(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?`;
const FACTOR = new RegExp(String.raw`^(${NUMBER})(?:(?:\^|\*\*)([+-]?\d+|\([+-]?\d+\)))?`);

/** A pattern as hexadecimal digits, as many as the format needs. */
export function hex(pattern, bits) {
  return `0x${pattern.toString(16).padStart(Math.ceil(bits / 4), "0")}`;
}

/**
 * What a typed text means: `{ value }`, or `{ pattern }` for 0x…, which goes to the given format.
 * Throws an Error whose message is meant for the reader.
 */
export function parse(text, format) {
  const plain = normalised(text);
  if (plain === "") throw new Error("Type a number, for example 0.1, 1e-8, 2^-24, inf or 0x7c00.");
  if (/^0x[0-9a-f]+$/.test(plain)) return { pattern: parsePattern(plain, format) };
  const word = /^([+-]?)(inf|infinity|∞|nan)$/.exec(plain);
  if (word) return { value: fromNumber(word[2] === "nan" ? NaN : Infinity) | (word[1] === "-" ? FP64_SIGN : 0n) };
  const number = parseSum(plain);
  if (number === null) throw new Error(`“${text.trim()}” is not a number that I can read. Try 0.1, 1e-8, 2^-24 or 0x7c00.`);
  return { value: fromNumber(number) };
}

function normalised(text) {
  return text
    .toLowerCase()
    .replace(/[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+/g, (run) => `^${[...run].map(plainDigit).join("")}`)
    .replace(/[−–]/g, "-")
    .replace(/[×·]/g, "*")
    .replace(/\s*([-+*^])\s*/g, "$1")
    .trim();
}

function plainDigit(character) {
  if (character === "⁻") return "-";
  return character === "⁺" ? "" : String(SUPERSCRIPTS.indexOf(character));
}

function parsePattern(text, format) {
  const pattern = BigInt(text);
  const width = bitLength(pattern);
  if (width > format.bits) throw new Error(`${text} needs ${width} bits; ${format.name} has ${format.bits}.`);
  return pattern;
}

/** Sums of products of powers, such as 1+2^-9 or -3*2^-24, in float64 arithmetic; null where it is none. */
function parseSum(text) {
  let rest = text;
  let sum = null;
  while (rest !== "") {
    const sign = /^[+-]/.exec(rest)?.[0] ?? "";
    if (sum !== null && sign === "") return null;
    const product = parseProduct(rest.slice(sign.length));
    if (product === null) return null;
    const term = sign === "-" ? -product.number : product.number;
    sum = sum === null ? term : sum + term; // not 0 + term: that would lose the sign of -0
    rest = product.rest;
  }
  return sum;
}

function parseProduct(text) {
  let number = 1;
  let rest = text;
  do {
    const match = FACTOR.exec(rest);
    if (!match) return null;
    const [whole, base, power] = match;
    number *= power === undefined ? Number(base) : Number(base) ** Number(power.replace(/[()]/g, ""));
    rest = rest.slice(whole.length);
  } while (rest.startsWith("*") && (rest = rest.slice(1)) !== null);
  return { number, rest };
}

/** A value for the input field: the shortest decimal that gives back the same float64. */
export function inputText(value) {
  const number = toNumber(value);
  if (Object.is(number, -0)) return "-0";
  if (!Number.isFinite(number)) return Number.isNaN(number) ? "nan" : number < 0 ? "-inf" : "inf";
  return number !== 0 && Math.abs(number) < 1e-4 ? number.toExponential() : String(number);
}

/** The decimal expansion of a value, all of it if it has at most `most` digits, else cut, with an ellipsis. */
export function exactText(value, most = Infinity) {
  if (!isFinite64(value)) return specialText(value);
  const sign = value & FP64_SIGN ? "−" : "";
  const { exponent, significand } = parts(value);
  if (significand === 0n) return `${sign}0`;
  const power = exponent - FP64_MANTISSA_BITS;
  const scaled = power >= 0 ? significand << BigInt(power) : significand * 5n ** BigInt(-power);
  const all = scaled.toString();
  const point = all.length + Math.min(power, 0); // how many digits stand before the decimal point
  return sign + placed(all.replace(/0+$/, ""), point, most);
}

function placed(digits, point, most) {
  const shown = digits.length > most ? digits.slice(0, most) : digits;
  const cut = digits.length > most ? "…" : "";
  if (point > 15 || point < -3 || (cut && point > most)) {
    const fraction = shown.slice(1) + cut;
    return `${shown[0]}${fraction && "."}${fraction}e${point - 1}`;
  }
  if (point <= 0) return `0.${"0".repeat(-point)}${shown}${cut}`;
  const fraction = shown.slice(point) + cut;
  return `${shown.slice(0, point).padEnd(point, "0")}${fraction && "."}${fraction}`;
}

function specialText(value) {
  if (value & FP64_MANTISSA_MASK) return "NaN";
  return value & FP64_SIGN ? "−∞" : "∞";
}

/** The decimal with the fewest digits that rounds to this pattern: what NumPy prints for it. */
export function shortestText(format, pattern) {
  const value = decode(format, pattern);
  const number = toNumber(value);
  if (!Number.isFinite(number) || number === 0) return exactText(value);
  for (let digits = 1; digits < 17; digits++) {
    const short = number.toPrecision(digits);
    if (encode(format, fromNumber(Number(short))) === pattern) return tidy(Number(short), digits);
  }
  return tidy(number, 17);
}

/** A neighbour in full where that is short (fp16's largest number is 65504, not the 65500 that names it). */
function neighbourText(format, pattern) {
  const exact = exactText(decode(format, pattern));
  return exact.length <= 16 ? exact : shortestText(format, pattern);
}

/** A number to so many significant digits, without trailing zeros, with an exponent where it is far from 1. */
export function tidy(number, digits = 4) {
  if (!Number.isFinite(number)) return specialText(fromNumber(number));
  if (number === 0) return "0";
  const size = Math.abs(number);
  const [mantissa, exponent] = size.toExponential(digits - 1).split("e");
  const rounded = Number(`${mantissa}e${exponent}`);
  const sign = number < 0 ? "−" : "";
  if (rounded >= 1e-3 && rounded < 1e15) return sign + String(rounded);
  return `${sign}${mantissa.replace(/\.?0+$/, "")}e${Number(exponent)}`;
}

/** Absolute and relative error of storing a value, and the error in ulps; null where there is no number. */
export function roundingError(format, value, pattern) {
  const exact = toNumber(value);
  const stored = toNumber(decode(format, pattern));
  if (Number.isNaN(exact) || Number.isNaN(stored)) return null;
  if (exact === stored) return { absolute: 0, relative: 0, ulps: 0 };
  // The difference is exact: a number and its nearest neighbour are within a factor of two, or one is zero.
  const absolute = Math.abs(stored - exact);
  return { absolute, relative: absolute / Math.abs(exact), ulps: absolute / ulp(format, value) };
}

/** The formula of a pattern with its own numbers in it, as HTML (made of digits and signs only). */
export function formulaHtml(format, pattern) {
  const { sign, exponent, mantissa } = fields(format, pattern);
  const kind = classify(format, pattern);
  if (kind === "inf") return `Exponent all ones, mantissa zero: ${sign ? "minus infinity" : "infinity"} by definition.`;
  if (kind === "nan") {
    return format.hasInfinity
      ? "Exponent all ones, mantissa not zero: not a number, by definition."
      : "All ones below the sign: this format’s only NaN (it has no infinity).";
  }
  const lead = exponent === 0 ? 0 : 1;
  const fraction = mantissa.toString(2).padStart(format.mantissaBits, "0");
  const power = Math.max(exponent, 1) - format.bias;
  const significand = fromNumber(lead + Number(mantissa) / 2 ** format.mantissaBits);
  return [
    `(−1)<sup class="bl-t-sign">${sign}</sup>`,
    `<span class="bl-t-mantissa">${lead}.${fraction}</span><sub>2</sub>`,
    `2<sup class="bl-t-exponent">${Math.max(exponent, 1)}−${format.bias}</sup> = ` +
      `${sign ? "−" : ""}<span class="bl-t-mantissa">${exactText(significand, 24)}</span>`,
    `2<sup class="bl-t-exponent">${minus(power)}</sup>`,
  ].join(" × ");
}

function minus(integer) {
  return String(integer).replace("-", "−");
}

/** What storing a value in a format did to it, in words. `kind` says how bad: exact, rounded, tiny or lost. */
export function remark(format, value, pattern) {
  const kind = classify(format, pattern);
  const number = toNumber(value);
  if (Number.isNaN(number)) return { kind: "exact", text: "NaN stays NaN." };
  if (!Number.isFinite(number)) {
    if (kind === "inf") return { kind: "exact", text: "Infinity is stored as it is." };
    return { kind: "lost", text: `Overflow: ${format.name} has no infinity, so it became NaN.` };
  }
  if (kind === "inf" || kind === "nan") return { kind: "lost", text: overflowText(format, number, kind) };
  if (kind === "zero" && number !== 0) return { kind: "lost", text: underflowText(format, number) };
  const error = roundingError(format, value, pattern);
  if (error.absolute === 0) return { kind: "exact", text: exactRemark(format, pattern, kind) };
  const rounded = roundedText(format, value, pattern, error);
  if (kind !== "subnormal") return { kind: "rounded", text: `${capital(rounded)}.` };
  const left = significantBits(format, pattern);
  return {
    kind: "tiny",
    text:
      `Gradual underflow: below ${powerOfTwo(format.minExponent)} the step stays ${leastText(format)}, ` +
      `so ${left} of ${format.mantissaBits + 1} significant bits ${left === 1 ? "is" : "are"} left; ${rounded}.`,
  };
}

function overflowText(format, number, kind) {
  const most = toNumber(decode(format, format.maxFinite));
  const end = number > 0 ? `above ${tidy(most, 9)}, the largest` : `below ${tidy(-most, 9)}, the lowest`;
  if (kind === "nan") return `Overflow: ${end} ${format.name} number, and there is no infinity here, so it became NaN.`;
  return `Overflow: ${end} ${format.name} number, by half a step or more, so it became ${number < 0 ? "minus " : ""}infinity.`;
}

function underflowText(format, number) {
  const result = number < 0 ? "−0" : "0";
  return `Underflow: not more than half of ${leastText(format)}, the smallest ${format.name} subnormal, so it became ${result}.`;
}

function leastText(format) {
  return powerOfTwo(format.minExponent - format.mantissaBits);
}

function powerOfTwo(exponent) {
  const digits = [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[digit]);
  return `2${exponent < 0 ? "⁻" : ""}${digits.join("")}`;
}

function exactRemark(format, pattern, kind) {
  // Every value here is an fp64 one: that row cannot tell whether a typed decimal was rounded to it.
  if (format.name === "fp64") return "The number itself: what is typed is read as fp64.";
  if (kind !== "subnormal") return "Stored exactly.";
  const left = significantBits(format, pattern);
  return `Stored exactly, as a subnormal with ${left} of ${format.mantissaBits + 1} significant bits in use.`;
}

function roundedText(format, value, pattern, error) {
  const stored = toNumber(decode(format, pattern));
  const number = toNumber(value);
  const way = stored > number ? "up" : "down";
  const most = toNumber(decode(format, format.maxFinite));
  if (Math.abs(number) > most) {
    return `beyond the largest ${format.name} number, but by too little to overflow: rounded ${way} to it`;
  }
  if (error.ulps === 0.5) {
    const other = decode(format, (stored > number ? nextDown : nextUp)(format, pattern));
    const [low, high] = [stored, toNumber(other)].sort((a, b) => a - b).map((end) => tidy(end, 9));
    return `a tie, half-way between ${low} and ${high}: rounded ${way}, to the even mantissa`;
  }
  const share = tidy(error.ulps, 3);
  return `rounded ${way} by ${share === "0.5" ? "just under " : ""}${share} ulp`;
}

function capital(sentence) {
  return sentence[0].toUpperCase() + sentence.slice(1);
}

function significantBits(format, pattern) {
  return bitLength(pattern & format.mantissaMask);
}

/** The stories behind the presets. Each holds whichever formats are shown. */
export const PRESETS = Object.freeze([
  {
    label: "0.1",
    text: "0.1",
    story: "0.1 has no finite binary expansion: every format stores a neighbour of it, and fewer mantissa bits mean one further off.",
  },
  {
    label: "65504",
    text: "65504",
    story: "The largest finite fp16 number. bf16 reaches almost as far as fp32, but with 8 significant bits its nearest number is 65536.",
  },
  {
    label: "65520",
    text: "65520",
    story: "Half-way from 65504 to 65536, where the next fp16 number would be: the tie goes up, and fp16 overflows to infinity.",
  },
  {
    label: "1e-8",
    text: "1e-8",
    story: "Less than half of fp16’s smallest subnormal, 2⁻²⁴, so fp16 keeps 0. A gradient this small needs bf16, fp32 or loss scaling.",
  },
  {
    label: "2049",
    text: "2049",
    story: "From 2048 to 4096 fp16 counts in steps of 2: 2049 lies between 2048 and 2050 and the tie goes to 2048, whose mantissa is even.",
  },
  {
    label: "257",
    text: "257",
    story: "From 256 to 512 bf16 counts in steps of 2: 257 lies between 256 and 258 and becomes 256. fp16 holds it exactly.",
  },
  {
    label: "1+2⁻⁹",
    text: "1+2^-9",
    story: "After 1, fp16 steps by 2⁻¹⁰ and keeps this; bf16 steps by 2⁻⁷ and falls back to 1. So small updates get lost in bf16 weights.",
  },
  {
    label: "subnormal",
    text: "1e-6",
    story: "1e-6 is below 2⁻¹⁴, fp16’s smallest normal number: fp16 stores the subnormal 17 × 2⁻²⁴, 1.3 % too much.",
  },
  {
    label: "NaN",
    text: "nan",
    story: "Not a number: it equals nothing, itself included. In IEEE-style formats the exponent is all ones and the mantissa not zero; fp8_e4m3 has one NaN for each sign.",
  },
]);

// ── 3. number line ───────────────────────────────────────────────────────────────────────────────────────────

const NEAREST_TICKS = 3; // pixels: numbers closer than this are drawn as a band

/** How wide the line should be to show a few numbers of the coarsest format around the value. */
export function fittingSpan(formats, value) {
  const finite = formats.filter((format) => isFinite64(decode(format, encode(format, value))));
  return 8 * Math.max(...(finite.length ? finite : formats).map((format) => ulp(format, value)));
}

/**
 * The numbers of a format between centre − span/2 and centre + span/2, in pixels from the left edge:
 * their count, ticks where they stand apart, and bands [from, to] where they are too close to tell apart.
 */
export function numbersInView(format, centre, span, width) {
  const first = ordinalFrom(format, centre - span / 2, Math.ceil);
  const last = ordinalFrom(format, centre + span / 2, Math.floor);
  const place = (ordinal) => ((valueOf(format, ordinal) - centre) / span + 0.5) * width;
  const view = { count: last < first ? 0n : last - first + 1n, ticks: [], bands: [] };
  // Where even the widest gap is too narrow, one band says it all.
  const widest = ulp(format, fromNumber(Math.max(Math.abs(centre - span / 2), Math.abs(centre + span / 2))));
  if (first <= last && (widest / span) * width < NEAREST_TICKS) {
    view.bands.push([Math.max(place(first), 0), Math.min(place(last), width)]);
    return view;
  }
  for (let at = first; at <= last; ) {
    const x = place(at);
    const beyond = ordinalFrom(format, centre + ((x + NEAREST_TICKS) / width - 0.5) * span, Math.ceil);
    const next = beyond > at + 1n ? beyond : at + 1n;
    if (next > at + 1n) extend(view.bands, x, Math.min(x + NEAREST_TICKS, width));
    else view.ticks.push(x);
    at = next;
  }
  return view;
}

/** Numbers count upwards in order of value; both zeros count as 0. */
function ordinal(format, pattern) {
  return pattern >= format.signBit ? -(pattern - format.signBit) : pattern;
}

function valueOf(format, at) {
  return toNumber(decode(format, at < 0n ? format.signBit - at : at));
}

/** The finite number of a format at or next to a real number, on the side that `side` (ceil or floor) says. */
function ordinalFrom(format, number, side) {
  const nearest = ordinal(format, encode(format, fromNumber(number)));
  if (nearest > format.maxFinite) return format.maxFinite + (side === Math.ceil ? 1n : 0n);
  if (nearest < -format.maxFinite) return -format.maxFinite - (side === Math.ceil ? 0n : 1n);
  const found = valueOf(format, nearest);
  if (side === Math.ceil) return found < number ? nearest + 1n : nearest;
  return found > number ? nearest - 1n : nearest;
}

function extend(bands, from, to) {
  const last = bands[bands.length - 1];
  if (last && from - last[1] < 0.5 * NEAREST_TICKS) last[1] = to;
  else bands.push([from, to]);
}

/** Round positions for the axis: numbers, or distances from the centre where numbers would need many digits. */
export function axisTicks(centre, span) {
  const step = niceStep(span / 6);
  const relative = Math.abs(centre) / step > 1e6;
  const origin = relative ? 0 : centre;
  const ticks = [];
  for (let k = Math.ceil((origin - span / 2) / step); k * step <= origin + span / 2; k++) {
    const at = k * step;
    ticks.push({ position: (at - origin) / span + 0.5, label: relative ? distanceText(at) : tidy(at, 9) });
  }
  return { ticks, relative };
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => Number((factor * power).toPrecision(1))).find((step) => step >= rough) ?? 10 * power;
}

function distanceText(distance) {
  if (distance === 0) return "x";
  return `x ${distance < 0 ? "−" : "+"} ${tidy(Math.abs(distance))}`;
}

/** The numbers in view, in words. */
export function countText(format, view) {
  if (view.count === 0n) return "no number in view";
  const count = view.count < 1000000n ? view.count.toLocaleString("en-US") : `about ${largeText(Number(view.count))}`;
  const dense = view.ticks.length ? ", in part too dense to draw" : ", too dense to draw one by one";
  return `${count} number${view.count === 1n ? "" : "s"} in view${view.bands.length ? dense : ""}`;
}

function largeText(count) {
  const [size, word] = [[1e12, "trillion"], [1e9, "billion"], [1e6, "million"]].find(([least]) => count >= least);
  return count < 1e15 ? `${tidy(count / size, 3)} ${word}` : tidy(count, 3);
}

// ── 4. view ──────────────────────────────────────────────────────────────────────────────────────────────────

const FULL_NAMES = {
  fp64: "double precision",
  fp32: "single precision",
  tf32: "TensorFloat-32",
  fp16: "half precision",
  bf16: "bfloat16",
  fp8_e4m3: "8-bit, E4M3",
  fp8_e5m2: "8-bit, E5M2",
};

let widgets = 0; // makes the ids of each widget on the page its own

/**
 * Keeps keys pressed in `element` from JupyterLab, which listens on the document and, in its command mode, takes arrow keys and
 * Enter for itself wherever nothing is typed. Its own shortcuts with Ctrl, Alt or Meta still reach it.
 */
function keepKeys(element) {
  element.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.altKey && !event.metaKey) event.stopPropagation();
  });
  return element;
}

/** An element with attributes and children; `class` and `aria-*` are attributes like any other. */
function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A flip must repaint within a frame: the DOM is touched only where something differs, and nothing is animated
// (which also suits readers who ask for less motion).
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** One bit: a toggle button. */
class Bit {
  constructor(format, index) {
    this.weight = 1n << BigInt(index);
    this.field = fieldOf(format, index);
    this.name = `${format.name} bit ${index}, ${this.field}`;
    this.button = h("button", {
      type: "button",
      class: "bl-bit",
      tabindex: "-1",
      title: `bit ${index}, ${this.field}: ${bitMeaning(format, index)}`,
      "data-bit": index,
    });
  }

  show(pattern) {
    const digit = pattern & this.weight ? "1" : "0";
    if (this.button.textContent === digit) return;
    this.button.textContent = digit;
    this.button.setAttribute("aria-pressed", String(digit === "1"));
    this.button.setAttribute("aria-label", `${this.name}, value ${digit}`);
  }
}

function fieldOf(format, index) {
  if (index === format.bits - 1) return "sign";
  return index >= format.mantissaBits ? "exponent" : "mantissa";
}

function bitMeaning(format, index) {
  const field = fieldOf(format, index);
  if (field === "sign") return "1 makes the number negative";
  if (field === "exponent") return `adds ${2 ** (index - format.mantissaBits)} to the stored exponent`;
  return `adds ${powerOfTwo(index - format.mantissaBits)} to the significand`;
}

/** One format: its bits, and what they mean. */
class FormatRow {
  constructor(format, { onPattern, onSelect }) {
    this.format = format;
    this.onPattern = onPattern;
    this.pattern = null;
    this.bits = Array.from({ length: format.bits }, (_, i) => new Bit(format, format.bits - 1 - i));
    this.bits[0].button.tabIndex = 0;
    this.element = this.build();
    this.grid.addEventListener("click", (event) => this.clicked(event));
    this.grid.addEventListener("focusin", (event) => this.rove(this.indexOf(event.target)));
    this.element.addEventListener("focusin", () => onSelect(format.name));
  }

  build() {
    const { format } = this;
    this.stored = h("span", { class: "bl-stored" });
    this.kind = h("span", { class: "bl-kind" });
    this.hex = h("code", { class: "bl-hex", title: "the bit pattern in hexadecimal" });
    this.formula = h("p", { class: "bl-formula" });
    this.remark = h("p", { class: "bl-remark" });
    this.brackets = {};
    this.grid = h(
      "div",
      { class: "bl-grid", role: "group", "aria-label": `${format.name} bits, sign bit first` },
      ...["sign", "exponent", "mantissa"].map((field) => this.buildField(field)),
    );
    return h(
      "section",
      { class: "bl-row", "data-format": format.name, "aria-label": `${format.name}, ${FULL_NAMES[format.name]}` },
      h(
        "div",
        { class: "bl-head" },
        h("span", { class: "bl-name", title: FULL_NAMES[format.name] }, format.name),
        this.stored,
        this.kind,
        this.hex,
      ),
      this.grid,
      this.formula,
      this.buildFacts(),
      this.remark,
    );
  }

  buildField(field) {
    this.brackets[field] = h("span", { class: "bl-bracket", "aria-hidden": "true" });
    const buttons = this.bits.filter((bit) => bit.field === field).map((bit) => bit.button);
    return h("div", { class: `bl-field bl-${field}` }, h("div", { class: "bl-bits" }, ...buttons), this.brackets[field]);
  }

  buildFacts() {
    this.facts = { absolute: h("dd"), relative: h("dd"), ulp: h("dd") };
    this.down = this.buildStep(nextDown);
    this.up = this.buildStep(nextUp);
    const fact = (title, ...content) => h("div", {}, h("dt", {}, title), ...content);
    return h(
      "dl",
      { class: "bl-facts" },
      fact("absolute error", this.facts.absolute),
      fact("relative error", this.facts.relative),
      fact("ulp", this.facts.ulp),
      fact("next below", h("dd", {}, this.down)),
      fact("next above", h("dd", {}, this.up)),
    );
  }

  buildStep(step) {
    const button = h("button", { type: "button", class: step === nextUp ? "bl-step bl-up" : "bl-step bl-down" });
    button.addEventListener("click", () => {
      this.onPattern(step(this.format, this.pattern), `${this.format.name}: one step ${step === nextUp ? "up" : "down"}`);
    });
    return button;
  }

  clicked(event) {
    const index = this.indexOf(event.target);
    if (index < 0) return;
    const bit = this.bits[index];
    const pattern = this.pattern ^ bit.weight;
    this.onPattern(pattern, `${bit.name}, is now ${pattern & bit.weight ? 1 : 0}`);
  }

  indexOf(button) {
    return this.bits.findIndex((bit) => bit.button === button);
  }

  /** Moves this row's one tab stop to a bit. */
  rove(index) {
    if (index < 0) return;
    for (const bit of this.bits) if (bit.button.tabIndex === 0) bit.button.tabIndex = -1;
    this.bits[index].button.tabIndex = 0;
  }

  focus(index) {
    this.bits[Math.max(0, Math.min(index, this.bits.length - 1))].button.focus();
  }

  show(value, pattern) {
    const { format } = this;
    const stored = decode(format, pattern);
    this.pattern = pattern;
    for (const bit of this.bits) bit.show(pattern);
    setText(this.stored, exactText(stored, 28));
    setAttribute(this.stored, "title", `${exactText(stored)} exactly; ${shortestText(format, pattern)} is enough to name it`);
    setText(this.kind, classify(format, pattern));
    setText(this.hex, hex(pattern, format.bits));
    this.showBrackets(pattern);
    const formula = formulaHtml(format, pattern);
    if (this.shownFormula !== formula) this.formula.innerHTML = this.shownFormula = formula;
    this.showFacts(value, pattern);
    const { kind, text } = remark(format, value, pattern);
    setText(this.remark, text);
    setAttribute(this.remark, "data-kind", kind);
  }

  showBrackets(pattern) {
    const { exponent, mantissa } = fields(this.format, pattern);
    setText(this.brackets.sign, "sign");
    setText(this.brackets.exponent, `exponent ${exponent}`);
    setText(this.brackets.mantissa, `mantissa ${mantissa}`);
  }

  showFacts(value, pattern) {
    const { format, facts } = this;
    const error = roundingError(format, value, pattern);
    const gap = ulp(format, value);
    setText(facts.absolute, error ? tidy(error.absolute) : "n/a");
    setText(facts.relative, error ? tidy(error.relative) : "n/a");
    setText(facts.ulp, Number.isNaN(gap) ? "n/a" : tidy(gap));
    this.showStep(this.down, "down", nextDown(format, pattern));
    this.showStep(this.up, "up", nextUp(format, pattern));
  }

  showStep(button, way, neighbour) {
    const stays = neighbour === this.pattern;
    button.disabled = stays;
    const text = stays ? "none" : neighbourText(this.format, neighbour);
    setText(button, text);
    const label = stays ? `nothing ${way === "up" ? "above" : "below"}` : `step ${way} to ${text}`;
    setAttribute(button, "aria-label", `${this.format.name}: ${label}`);
  }
}

const LANE_HEIGHT = 46;
const LINE_TOP = 24; // room for the label of the value
const AXIS_HEIGHT = 24;
const ZOOM_STEP = 4;

/** The number line: one lane a format, all on one axis centred on the value. */
class NumberLine {
  constructor(formats) {
    this.formats = formats;
    this.zoom = 1;
    this.width = 0;
    this.state = null;
    this.lanes = formats.map((format) => new Lane(format));
    this.element = this.build();
    this.observer = new ResizeObserver(([entry]) => this.resize(entry.contentRect.width));
    this.observer.observe(this.canvas);
  }

  build() {
    const height = LINE_TOP + this.lanes.length * LANE_HEIGHT + AXIS_HEIGHT;
    this.axis = svg("g", { class: "bl-axis" });
    this.marker = svg("path", { class: "bl-marker" });
    this.label = svg("text", { class: "bl-marker-label", y: 13, "text-anchor": "middle" });
    this.lanes.forEach((lane, i) => lane.element.setAttribute("transform", `translate(0 ${LINE_TOP + i * LANE_HEIGHT})`));
    this.canvas = svg(
      "svg",
      { class: "bl-canvas", role: "img", height },
      this.marker,
      ...this.lanes.map((lane) => lane.element),
      this.axis,
      this.label,
    );
    this.caption = h("span", { class: "bl-caption" });
    this.buttons = { in: this.button("in", "+", ZOOM_STEP), out: this.button("out", "−", 1 / ZOOM_STEP) };
    this.buttons.fit = h("button", { type: "button", class: "bl-zoom", "aria-label": "zoom to fit the value" }, "fit");
    this.buttons.fit.addEventListener("click", () => this.setZoom(1));
    this.message = h("p", { class: "bl-off-line" });
    const bar = h("div", { class: "bl-bar" }, h("span", { class: "bl-title" }, "Number line"), this.caption);
    bar.append(this.buttons.out, this.buttons.in, this.buttons.fit);
    return h("section", { class: "bl-line", "aria-label": "number line" }, bar, this.message, this.canvas);
  }

  button(way, text, factor) {
    const button = h("button", { type: "button", class: "bl-zoom", "aria-label": `zoom ${way}` }, text);
    button.addEventListener("click", () => this.setZoom(this.zoom * factor));
    return button;
  }

  setZoom(zoom) {
    this.zoom = zoom;
    this.draw();
  }

  // Asking the DOM for the width at every flip would make it lay everything out twice.
  resize(width) {
    if (width === 0 || width === this.width) return; // 0: hidden
    this.width = width;
    this.draw();
  }

  show(state) {
    this.state = state;
    this.draw();
  }

  draw() {
    const { value } = this.state;
    const onLine = isFinite64(value);
    this.canvas.style.display = onLine ? "" : "none";
    for (const button of Object.values(this.buttons)) button.disabled = !onLine;
    setText(this.message, onLine ? "" : offLineText(value));
    if (!onLine || !this.width) return setText(this.caption, "");
    this.drawAround(toNumber(value), this.boundedSpan(value));
  }

  /** The span to show; at the ends of what float64 can place, the zoom stops and its button with it. */
  boundedSpan(value) {
    const fitting = fittingSpan(this.formats, value);
    const least = 16 * ulp(FORMATS.fp64, value);
    const most = 4 * Math.max(...this.formats.map((format) => toNumber(decode(format, format.maxFinite))));
    const [low, high] = [Math.min(least, fitting), Math.min(Math.max(most, fitting), 1e308)];
    const span = Math.min(Math.max(fitting / this.zoom, low), high);
    this.zoom = fitting / span;
    this.buttons.in.disabled = span <= low;
    this.buttons.out.disabled = span >= high;
    return span;
  }

  drawAround(centre, span) {
    const { width, lanes, state } = this;
    const middle = width / 2;
    const texts = lanes.map((lane) => lane.draw(centre, span, width, state.bits[lane.format.name]));
    const bottom = LINE_TOP + lanes.length * LANE_HEIGHT;
    // Not one long line: it would run through the words of the lanes.
    setAttribute(this.marker, "d", lanes.map((_, i) => `M${middle} ${LINE_TOP + i * LANE_HEIGHT + 17}v24`).join(""));
    setAttribute(this.label, "x", middle);
    setText(this.label, `x = ${tidy(centre, 12)}`);
    this.drawAxis(centre, span, bottom);
    setText(this.caption, `${tidy(span)} from edge to edge; a dot is what each format stores`);
    setAttribute(this.canvas, "aria-label", `Number line around ${tidy(centre, 12)}. ${texts.join(". ")}.`);
  }

  drawAxis(centre, span, top) {
    const { ticks } = axisTicks(centre, span);
    const room = this.width / Math.max(ticks.length, 1);
    // Every other label where they would touch (7 pixels a character, about).
    const every = Math.ceil((7 * Math.max(0, ...ticks.map(({ label }) => label.length)) + 12) / room);
    const marks = ticks.map(({ position, label }, i) => {
      const x = position * this.width;
      const mark = svg("g", {}, svg("path", { d: `M${x.toFixed(1)} ${top}v5` }));
      const fits = i % every === 0 && x > 3.5 * label.length && x < this.width - 3.5 * label.length;
      if (fits) mark.append(svg("text", { x: x.toFixed(1), y: top + 18, "text-anchor": "middle" }, label));
      return mark;
    });
    this.axis.replaceChildren(svg("path", { d: `M0 ${top}H${this.width}` }), ...marks);
  }

  dispose() {
    this.observer.disconnect();
  }
}

function offLineText(value) {
  if (value & FP64_MANTISSA_MASK) return "NaN is not a number: it has no place on the line.";
  return "Infinity lies beyond the end of every number line.";
}

/** One format on the number line. */
class Lane {
  constructor(format) {
    this.format = format;
    this.text = svg("text", { class: "bl-lane-text", x: 2, y: 13 });
    this.base = svg("path", { class: "bl-base" });
    this.ticks = svg("path", { class: "bl-ticks" });
    this.bands = svg("path", { class: "bl-bands" });
    this.beyond = svg("path", { class: "bl-beyond" });
    this.move = svg("path", { class: "bl-move" });
    this.dot = svg("circle", { class: "bl-dot", r: 4.5, cy: 29 });
    const marks = [this.beyond, this.base, this.bands, this.ticks, this.move, this.dot];
    this.element = svg("g", { "data-lane": format.name }, ...marks, this.text);
  }

  /** Draws the lane and returns it in words. */
  draw(centre, span, width, pattern) {
    const view = numbersInView(this.format, centre, span, width);
    const stored = toNumber(decode(this.format, pattern));
    const at = ((stored - centre) / span + 0.5) * width;
    const inView = at >= 0 && at <= width;
    setAttribute(this.base, "d", `M0 29H${width}`);
    setAttribute(this.ticks, "d", view.ticks.map((x) => `M${x.toFixed(1)} 22v14`).join(""));
    setAttribute(this.bands, "d", view.bands.map(([from, to]) => box(from, to)).join(""));
    setAttribute(this.beyond, "d", this.beyondRange(centre, span, width));
    setAttribute(this.dot, "cx", inView ? at.toFixed(1) : 0);
    setAttribute(this.dot, "visibility", inView ? "visible" : "hidden");
    setAttribute(this.move, "d", inView ? `M${width / 2} 29H${at.toFixed(1)}` : "");
    const text = `${countText(this.format, view)}${inView ? "" : `; stored as ${this.elsewhere(stored, centre)}`}`;
    this.label(text);
    return `${this.format.name}: ${text}`;
  }

  label(text) {
    if (this.shown === text) return;
    this.shown = text;
    this.text.replaceChildren(svg("tspan", { class: "bl-lane-name" }, this.format.name), `  ${text}`);
  }

  elsewhere(stored, centre) {
    if (Number.isNaN(stored)) return "NaN, off the line";
    return `${tidy(stored, 9)}, off to the ${stored > centre ? "right" : "left"}`;
  }

  /** Where values overflow: past the largest number by half a step, on either side. */
  beyondRange(centre, span, width) {
    const most = toNumber(decode(this.format, this.format.maxFinite));
    const limit = most + ulp(this.format, fromNumber(most)) / 2;
    const left = Math.min((-limit / span - centre / span + 0.5) * width, width);
    const right = Math.max((limit / span - centre / span + 0.5) * width, 0);
    return `${left > 0 ? box(0, left) : ""}${right < width ? box(right, width) : ""}`;
  }
}

function box(from, to) {
  return `M${from.toFixed(1)} 23H${to.toFixed(1)}V35H${from.toFixed(1)}Z`;
}

/** What stands above the rows: the value to type, where a pattern goes, and the presets. */
class Panel {
  constructor(names, id, { onText, onTarget }) {
    this.onText = onText;
    this.error = h("p", { class: "bl-error", id: `${id}-error`, role: "alert" });
    this.input = h("input", {
      class: "bl-input",
      id: `${id}-value`,
      type: "text",
      spellcheck: "false",
      autocomplete: "off",
      "aria-describedby": `${id}-help ${id}-error`,
    });
    this.target = h("select", { class: "bl-target" }, ...names.map((name) => h("option", { value: name }, name)));
    this.target.addEventListener("change", () => onTarget(this.target.value));
    this.story = h("p", { class: "bl-story" });
    this.chosen = null;
    this.element = h("div", { class: "bl-panel" }, this.buildForm(id), this.buildPresets(id), this.story);
    this.tell(null);
  }

  buildForm(id) {
    const form = h(
      "form",
      { class: "bl-form" },
      h("label", { class: "bl-title", for: `${id}-value` }, "Value"),
      this.input,
      h("button", { type: "submit", class: "bl-set" }, "Set"),
      h("label", { class: "bl-target-label" }, "0x… sets the bits of ", this.target),
      this.error,
      h(
        "p",
        { class: "bl-help", id: `${id}-help` },
        "0.1, 1e-8, 2^-24, 1+2^-9, inf, nan or 0x7c00. Decimals are read as fp64 first, then rounded once to each format.",
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.apply(this.input.value);
    });
    return form;
  }

  buildPresets(id) {
    const buttons = PRESETS.map((preset, i) => this.buildPreset(preset, `${id}-story-${i}`));
    return h("div", { class: "bl-presets", role: "group", "aria-label": "examples, each with a story" }, ...buttons.flat());
  }

  buildPreset(preset, id) {
    const button = h("button", { type: "button", class: "bl-preset", "aria-describedby": id }, preset.label);
    button.addEventListener("click", () => {
      this.choose(preset, button);
      this.apply(preset.text);
    });
    for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => this.tell(preset));
    for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => this.tell(this.chosen?.preset));
    return [button, h("span", { class: "bl-hidden", id }, preset.story)];
  }

  choose(preset, button) {
    this.chosen?.button.classList.remove("bl-chosen");
    this.chosen = { preset, button };
    button.classList.add("bl-chosen");
    this.tell(preset);
  }

  forget() {
    this.chosen?.button.classList.remove("bl-chosen");
    this.chosen = null;
    this.tell(null);
  }

  tell(preset) {
    setText(this.story, preset ? preset.story : "Pick an example, type a value, or click a bit to flip it.");
  }

  apply(text) {
    try {
      this.onText(parse(text, FORMATS[this.target.value]), this.target.value);
    } catch (problem) {
      this.complain(problem.message);
    }
  }

  complain(message) {
    setText(this.error, message);
    this.input.setAttribute("aria-invalid", String(message !== ""));
  }

  show(value) {
    this.input.value = inputText(value);
    this.complain("");
  }
}

/** The whole widget: keeps its rows, line and input showing one state, which it shares with the model. */
class BitLayoutView {
  constructor(model) {
    this.model = model;
    this.names = model.get("formats");
    const formats = this.names.map((name) => FORMATS[name]);
    this.state = null;
    this.following = false;
    this.panel = new Panel(this.names, `bit-layout-${++widgets}`, {
      onText: (meaning, row) => this.typed(meaning, row),
      onTarget: (name) => this.select(name),
    });
    this.rows = formats.map((format) => this.buildRow(format));
    this.line = new NumberLine(formats);
    this.status = h("p", { class: "bl-hidden", role: "status", "aria-live": "polite" });
    this.element = this.build();
    this.onModel = () => this.followSoon();
    model.on("change:value", this.onModel);
    model.on("change:bits", this.onModel);
    this.follow();
    this.select(this.names[0]);
  }

  buildRow(format) {
    return new FormatRow(format, {
      onPattern: (pattern, deed) => this.commit(stateOfRow(this.names, format.name, pattern), deed),
      onSelect: (name) => this.select(name),
    });
  }

  build() {
    const rows = h("div", { class: "bl-rows" }, ...this.rows.map((row) => row.element));
    rows.addEventListener("keydown", (event) => this.keyPressed(event));
    const attributes = { class: "bit-layout", role: "group", "aria-label": "bit layout" };
    return keepKeys(h("div", attributes, this.panel.element, rows, this.line.element, this.status));
  }

  typed(meaning, row) {
    const state =
      meaning.pattern === undefined ? stateOfValue(this.names, meaning.value) : stateOfRow(this.names, row, meaning.pattern);
    this.commit(state, "");
  }

  /** Selects the row that a typed 0x… pattern goes to: the one last used, or the one chosen in the panel. */
  select(name) {
    this.panel.target.value = name;
    for (const row of this.rows) row.element.classList.toggle("bl-selected", row.format.name === name);
  }

  keyPressed(event) {
    const at = this.rows.findIndex((row) => row.indexOf(event.target) >= 0);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = this.rows[at];
    const column = row.indexOf(event.target);
    const moves = {
      ArrowLeft: () => row.focus(column - 1),
      ArrowRight: () => row.focus(column + 1),
      Home: () => row.focus(0),
      End: () => row.focus(Infinity),
      ArrowUp: () => this.rows[at - 1]?.focus(column),
      ArrowDown: () => this.rows[at + 1]?.focus(column),
    };
    if (!moves[event.key]) return; // Space and Enter press the button by themselves
    event.preventDefault();
    moves[event.key]();
  }

  /** A change made here: show it first, then tell the model, which tells Python. */
  commit(state, deed) {
    if (deed) this.panel.forget();
    this.show(state);
    this.announce(deed);
    this.model.set("value", hex(state.value, 64));
    this.model.set("bits", Object.fromEntries(this.names.map((name) => [name, hex(state.bits[name], FORMATS[name].bits)])));
    this.model.save_changes();
  }

  /** The model tells of `value` and `bits` one by one: wait until both are in place. */
  followSoon() {
    if (this.following) return;
    this.following = true;
    queueMicrotask(() => {
      this.following = false;
      this.follow();
    });
  }

  /** A change in the model, from Python or from another view of it. */
  follow() {
    const state = this.modelState();
    if (this.state && sameState(this.state, state)) return;
    const first = this.state === null;
    this.show(state);
    if (!first) this.announce("");
  }

  modelState() {
    const value = BigInt(this.model.get("value"));
    const bits = this.model.get("bits");
    return { value, bits: Object.fromEntries(this.names.map((name) => [name, BigInt(bits[name])])) };
  }

  show(state) {
    this.state = state;
    this.panel.show(state.value);
    for (const row of this.rows) row.show(state.value, state.bits[row.format.name]);
    this.line.show(state);
  }

  announce(deed) {
    const { value, bits } = this.state;
    const rows = this.rows.map(({ format }) => {
      const { kind } = remark(format, value, bits[format.name]);
      return `${format.name} ${shortestText(format, bits[format.name])}${kind === "exact" ? "" : ` (${kind})`}`;
    });
    setText(this.status, `${deed && `${deed}. `}Value ${inputText(value)}. ${rows.join(", ")}.`);
  }

  dispose() {
    this.model.off("change:value", this.onModel);
    this.model.off("change:bits", this.onModel);
    this.line.dispose();
  }
}

function sameState(one, other) {
  return one.value === other.value && Object.keys(one.bits).every((name) => one.bits[name] === other.bits[name]);
}

/** anywidget's entry: draws the model into an element and returns what undoes it. */
function render({ model, el }) {
  const view = new BitLayoutView(model);
  el.append(view.element);
  return () => {
    view.dispose();
    view.element.remove();
  };
}

export default { render };
