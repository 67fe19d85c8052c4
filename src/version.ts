/** Version of the program; a test holds it equal to package.json and plugin.toml. */
export const version = '0.1.0';
