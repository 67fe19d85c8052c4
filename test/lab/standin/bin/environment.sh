#!/usr/bin/env bash
# What Dokku sets for everything it runs. Sourced by `dokku` and `plugn` with $lab, the lab root.

export DOCKER_BIN=docker
export DOKKU_ROOT=${lab:?}/home DOKKU_HOST_ROOT=${DOKKU_HOST_ROOT:-$lab/home}
export DOKKU_LIB_ROOT=$lab/lib
export PLUGIN_PATH=$DOKKU_LIB_ROOT/plugins
export PLUGIN_AVAILABLE_PATH=$PLUGIN_PATH/available PLUGIN_ENABLED_PATH=$PLUGIN_PATH/enabled
export PLUGIN_CORE_PATH=$DOKKU_LIB_ROOT/core-plugins
export PLUGIN_CORE_AVAILABLE_PATH=$PLUGIN_CORE_PATH/available PLUGIN_CORE_ENABLED_PATH=$PLUGIN_CORE_PATH/enabled
export DOKKU_SYSTEM_GROUP=dokku DOKKU_SYSTEM_USER=dokku
export DOKKU_API_VERSION=1 DOKKU_NOT_IMPLEMENTED_EXIT=10 DOKKU_VALID_EXIT=0
export DOKKU_PID=${DOKKU_PID:-$$}
export DOKKU_LOGS_DIR=$lab/log/dokku DOKKU_LOGS_HOST_DIR=$lab/log/dokku
export DOKKU_EVENTS_LOGFILE=$DOKKU_LOGS_DIR/events.log
# Nested calls must reach the stand-in, where a real host has /usr/bin/dokku. The lab's Node
# comes last: a host's own, old one keeps its place, as it would in production.
[[ :$PATH: == *":$lab/bin:"*":$lab/node/bin:"* ]] || export PATH=$lab/bin:$PATH:$lab/node/bin
