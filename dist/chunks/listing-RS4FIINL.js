import{createRequire as pgbackupRequire}from'node:module';const require=pgbackupRequire(import.meta.url);
import{listing}from"./chunk-WJTXKVMY.js";import"./chunk-LWAWUGZF.js";import"./chunk-66FIO6ZC.js";import"./chunk-3SRUE2LN.js";import"./chunk-QZD46XFN.js";export{listing};
