/** What is used here of the engine's WebAssembly, of which the types for Node know nothing. */
declare namespace WebAssembly {
  function compile(code: Uint8Array): Promise<Module>;
}
