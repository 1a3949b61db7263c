/** How a host and its parent begin: a host says nothing before it is told to, because until then nobody may be listening. */
export const beginLine = 'begin';
export const readyLine = 'ready';
