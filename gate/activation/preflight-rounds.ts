/** How often a preflight runs every reference, unless it is asked for more or less. */
export const roundsDefault = 5;
export const roundsMax = 50;
