// Runs functions of bit_layout.js for tests/test_bit_layout.py: a JSON list of [name, arguments] on stdin, a JSON
// list of results on stdout. Patterns and values travel as hexadecimal digits, since JSON has no BigInt.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const js = await import(pathToFileURL(process.argv[2]));
const { FORMATS, encode, fromNumber } = js;
const big = (digits) => BigInt(`0x${digits}`);

const overPatterns = (name) => ([format, patterns]) => patterns.map((digits) => js[name](FORMATS[format], big(digits)));

const calls = {
  table: () =>
    Object.fromEntries(
      Object.values(FORMATS).map((f) => [f.name, [f.exponentBits, f.mantissaBits, f.hasInfinity, f.keepsNanPayload]]),
    ),
  presets: () => js.PRESETS,
  encode: overPatterns("encode"),
  decode: overPatterns("decode"),
  classify: overPatterns("classify"),
  nextUp: overPatterns("nextUp"),
  nextDown: overPatterns("nextDown"),
  shortestText: overPatterns("shortestText"),
  ulp: (args) => overPatterns("ulp")(args).map(fromNumber),
  exactText: ([values, most]) => values.map((digits) => js.exactText(big(digits), most)),
  stateOfRow: ([names, source, pattern]) => js.stateOfRow(names, source, big(pattern)),
  numbersInView: ([format, ...view]) => js.numbersInView(FORMATS[format], ...view),
  remark([format, digits]) {
    const value = big(digits);
    return js.remark(FORMATS[format], value, encode(FORMATS[format], value));
  },
  roundingError([format, values]) {
    const layout = FORMATS[format];
    return values.map(big).map((value) => js.roundingError(layout, value, encode(layout, value)));
  },
  formulaText([format, pattern]) {
    const html = js.formulaHtml(FORMATS[format], big(pattern));
    return html.replace(/<sup[^>]*>/g, "^").replace(/<sub>/g, "_").replace(/<[^>]*>/g, "");
  },
  parse([text, format]) {
    try {
      return js.parse(text, FORMATS[format]);
    } catch (problem) {
      return { error: problem.message };
    }
  },
};

const asked = JSON.parse(readFileSync(0, "utf8"));
const answers = asked.map(([name, args]) => calls[name](args));
process.stdout.write(JSON.stringify(answers, (_, value) => (typeof value === "bigint" ? value.toString(16) : value)));
