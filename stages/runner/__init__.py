"""runner: what run_stage.py is made of.

    main      command line, a task from claim to verdict
    call      ENV SCRIPT ARGS... -> Call
    claim     who has a task in hand
    signals   what ends a runner
    attempt   runs the stage script once, writes stage_status.json
    verdict   did the stage end well, and why not
"""
