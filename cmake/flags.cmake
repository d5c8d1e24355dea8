# Compiler flags, for every target of the project.
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wvla
                    -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
                    -Wwrite-strings -Wformat=2)
add_compile_definitions(_GNU_SOURCE)

if(MIG_WERROR)
    add_compile_options(-Werror)
endif()

if(MIG_SANITIZE)
    add_compile_options(-fsanitize=${MIG_SANITIZE} -fno-sanitize-recover=all
                        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${MIG_SANITIZE})
endif()

if(MIG_HARDEN)
    add_compile_options(-fstack-protector-strong)
    include(CheckCCompilerFlag)
    foreach(flag stack-clash-protection cf-protection)
        string(MAKE_C_IDENTIFIER "HAVE_${flag}" have)
        check_c_compiler_flag(-f${flag} ${have}) # not on every processor
        if(${have})
            add_compile_options(-f${flag})
        endif()
    endforeach()
    add_compile_definitions(_FORTIFY_SOURCE=2)
    add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
    include(CheckPIESupported)
    check_pie_supported()
endif()
