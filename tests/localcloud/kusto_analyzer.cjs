// Kusto's own parser and analyzer over queries. stdin: {"package", "tables": {name: "(a:string, ...)"}, "queries": {name: text}};
// stdout: {name: {"diagnostics": [text], "columns": [[name, type]]}}. It runs nothing: it knows schemas, not rows.
const fs = require("fs");
const path = require("path");
const vm = require("vm");

const input = JSON.parse(fs.readFileSync(0, "utf8"));
for (const file of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) {
  vm.runInThisContext(fs.readFileSync(path.join(input.package, file), "utf8"), file);
}

const language = Kusto.Language;
const symbols = language.Symbols;
const list = new (System.Collections.Generic.List$1(symbols.Symbol).ctor)();
for (const [name, schema] of Object.entries(input.tables)) {
  list.add(new symbols.TableSymbol.$ctor7(name, schema, null));
}
const database = new symbols.DatabaseSymbol.$ctor3("workspace", null, list, false);
const globals = language.GlobalState.Default.WithDatabase(database);

function items(sequence) {
  return Array.from({ length: sequence.Count }, (_, index) => sequence.getItem(index));
}

const answers = {};
for (const [name, query] of Object.entries(input.queries)) {
  const code = language.KustoCode.ParseAndAnalyze(query, globals);
  const result = code.ResultType;
  answers[name] = {
    diagnostics: items(code.GetDiagnostics()).map((one) => `${one.Code} ${one.Message} (at ${one.Start})`),
    columns: result && result.Columns ? items(result.Columns).map((one) => [one.Name, one.Type.Name]) : [],
  };
}
process.stdout.write(JSON.stringify(answers));
