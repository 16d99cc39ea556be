// Loaded into node with -r: a child of the local stack ends when its parent does, however that ended.
process.stdin.resume();
process.stdin.unref(); // listening to the parent is no reason to stay alive after the work is done
for (const event of ["end", "close", "error"]) process.stdin.on(event, () => process.exit(0));
