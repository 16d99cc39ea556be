// Loaded into node with -r: a child of the local stack ends when its parent does, however that ended. Azurite ends in
// order on SIGTERM, which writes its data; where something still keeps it alive after that, it is ended.
process.stdin.resume();
process.stdin.unref(); // listening to the parent is no reason to stay alive after the work is done
const end = () => {
  process.kill(process.pid, "SIGTERM");
  setTimeout(() => process.exit(0), 3000).unref();
};
process.stdin.once("end", end).once("error", end);
