# gr_place_below(VARIABLE PREFIX DIRECTORY): sets VARIABLE to the path of DIRECTORY in an installation at PREFIX. /etc replaces
# /usr/etc.
function(gr_place_below variable prefix directory)
  cmake_path(ABSOLUTE_PATH directory BASE_DIRECTORY "${prefix}" NORMALIZE OUTPUT_VARIABLE place)
  string(REGEX REPLACE "^/usr/etc/" "/etc/" place "${place}")
  set(${variable} "${place}" PARENT_SCOPE)
endfunction()
