// Calls functions that a script exports, for tests/javascript.py: a JSON list of [name, arguments] on stdin, a JSON list
// of results on stdout.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const js = await import(pathToFileURL(process.argv[2]));
const asked = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(asked.map(([name, args]) => js[name](...args))));
