import{createRequire as pgbackupRequire}from'node:module';const require=pgbackupRequire(import.meta.url);
import{listing}from"./chunk-W5JYM7II.js";import"./chunk-LWAWUGZF.js";import"./chunk-S6GD4GEB.js";import"./chunk-B4SL57XL.js";import"./chunk-QZD46XFN.js";export{listing};
