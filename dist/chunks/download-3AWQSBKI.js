import{createRequire as pgbackupRequire}from'node:module';const require=pgbackupRequire(import.meta.url);
import{download,downloadWhole}from"./chunk-E6ET3EAH.js";import"./chunk-V52R4LF6.js";import"./chunk-LWAWUGZF.js";import"./chunk-3SRUE2LN.js";import"./chunk-QZD46XFN.js";export{download,downloadWhole};
