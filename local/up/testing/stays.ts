// A process that is ready at once and stays until it is told to end: run by the supervisor's tests.
process.on("disconnect", () => process.exit());
process.once("SIGTERM", () => process.exit());
console.log('{"ready":true}');
