// Figures as text, the same everywhere on the page.
export const percent = (x, digits = 1) => (x === null || x === undefined ? "unknown" : `${(100 * x).toFixed(digits)} %`);

export const between = (low, high) => (low === null || low === undefined ? "no interval" : `${percent(low)} to ${percent(high)}`);

// A month's money to three digits: more would pretend to know it.
export const money = (x) => `${x < 0 ? "−" : ""}$${Math.abs(x).toLocaleString("en-US", { maximumSignificantDigits: 3 })}`;

export const small = (x) => (x === null || x === undefined ? "unknown" : `$${x.toPrecision(4)}`);

export const whole = (x) => x.toLocaleString("en-US", { maximumFractionDigits: 0 });
