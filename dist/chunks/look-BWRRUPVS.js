import{createRequire as pgbackupRequire}from'node:module';const require=pgbackupRequire(import.meta.url);
import{look,lookIfAllowed}from"./chunk-IYMJU4OP.js";import"./chunk-LWAWUGZF.js";import"./chunk-B4SL57XL.js";import"./chunk-QZD46XFN.js";export{look,lookIfAllowed};
